import { retryIn } from '../../../src/index.ts'
import type { Path } from '../path.ts'
import { ahead, awaited } from '../producers.ts'
import { pathOn, slow, systems, toldWhenFull } from './path-on.ts'

const small = 256
/** Beyond the end of every run. */
const muchLater = '6h'
const anHour = 3_600_000

export const consumingPaths: readonly Path[] = [
  ...(['sqlite', 'postgres', 'kafka'] as const).map((system) =>
    pathOn(system, 'prefetch', {
      about: 'events of 900 KB, always 300 of them waiting, 4 handlers of 200 ms that may take 1,000 ahead',
      queue: { concurrency: 4, prefetch: 1_000 },
      handle: (_n, overload) => slow(overload, 200),
      load: ahead(900_000, 300),
    }),
  ),
  ...systems.flatMap((system) => [
    pathOn(system, 'retries', {
      about: '9 of 10 events fail and wait for six hours, the others are handled',
      told: toldWhenFull(system),
      queue: { breaker: false, concurrency: 64 },
      handle(n, { ledger }) {
        if (n % 10 === 0) return
        ledger.waits(n)
        throw retryIn(muchLater, new Error('not today'))
      },
      load: awaited(small, 256),
    }),
    pathOn(system, 'dead', {
      about: 'a handler that always fails, and no second attempt: dead letters pile up',
      told: toldWhenFull(system),
      queue: { breaker: false, retry: { attempts: 1 } },
      handle() {
        throw new Error('never')
      },
      load: awaited(small, 64),
    }),
  ]),
  pathOn('sqlite', 'stuck', {
    about:
      'one handler in 1,000 never settles, whatever its signal says, and is given up before its lease of 3 s ends',
    told: ['HANDLER_STUCK'],
    queue: { breaker: false, lease: '3s', maxHandling: '1s', retry: { attempts: 1 } },
    handle: (n) => (n % 1_000 === 0 ? new Promise(() => {}) : undefined),
    load: awaited(small, 8),
  }),
  pathOn('sqlite', 'leaks', {
    about: 'every handler leaves a timer behind',
    told: ['TIMERS_LEAKED'],
    handle(_n, overload) {
      setTimeout(() => {}, anHour)
      return slow(overload)
    },
    load: ahead(small, 300),
  }),
  pathOn('sqlite', 'batch', {
    about: 'a batch handler of 100 events that takes 200 ms',
    batch: 100,
    handle: (_n, overload) => slow(overload, 200),
    load: awaited(small, 64),
  }),
]
