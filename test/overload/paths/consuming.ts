import { retryIn } from '../../../src/index.ts'
import type { Path } from '../path.ts'
import { ahead, awaited } from '../producers.ts'
import { memoryOf, slow } from './publishing.ts'

const small = 256
/** Beyond the end of every run. */
const muchLater = '6h'

function prefetch(system: 'sqlite' | 'kafka'): Path {
  return {
    name: `${system}.prefetch`,
    system,
    about: 'events of 900 KB, always 300 of them waiting, 4 handlers of 200 ms that may take 1,000 ahead',
    ...memoryOf(system),
    told: [],
    queue: { concurrency: 4, prefetch: 1_000 },
    handle: (_n, overload) => slow(overload, 200),
    load: ahead(900_000, 300),
  }
}

function retries(system: 'memory' | 'sqlite' | 'kafka'): Path {
  return {
    name: `${system}.retries`,
    system,
    about: '9 of 10 events fail and wait for six hours, the others are handled',
    ...memoryOf(system),
    told: system === 'memory' ? ['STORE_FULL'] : [],
    queue: { breaker: false, concurrency: 64 },
    handle(n, { ledger }) {
      if (n % 10 === 0) return
      ledger.waits(n)
      throw retryIn(muchLater, new Error('not today'))
    },
    load: awaited(small, 256),
  }
}

function dead(system: 'memory' | 'sqlite' | 'kafka'): Path {
  return {
    name: `${system}.dead`,
    system,
    about: 'a handler that always fails, and no second attempt: dead letters pile up',
    ...memoryOf(system),
    told: system === 'memory' ? ['STORE_FULL'] : [],
    queue: { breaker: false, retry: { attempts: 1 } },
    handle() {
      throw new Error('never')
    },
    load: awaited(small, 64),
  }
}

const stuck: Path = {
  name: 'sqlite.stuck',
  system: 'sqlite',
  about:
    'one handler in 1,000 never settles, whatever its signal says, and is given up before its lease of 3 s ends',
  ...memoryOf('sqlite'),
  told: ['HANDLER_STUCK'],
  queue: { breaker: false, lease: '3s', maxHandling: '1s', retry: { attempts: 1 } },
  handle: (n) => (n % 1_000 === 0 ? new Promise(() => {}) : undefined),
  load: awaited(small, 8),
}

const leaks: Path = {
  name: 'sqlite.leaks',
  system: 'sqlite',
  about: 'every handler leaves a timer behind',
  ...memoryOf('sqlite'),
  told: ['TIMERS_LEAKED'],
  queue: {},
  handle(_n, overload) {
    setTimeout(() => {}, 3_600_000)
    return slow(overload)
  },
  load: ahead(small, 300),
}

const batch: Path = {
  name: 'sqlite.batch',
  system: 'sqlite',
  about: 'a batch handler of 100 events that takes 200 ms',
  ...memoryOf('sqlite'),
  told: [],
  queue: {},
  batch: 100,
  handle: (_n, overload) => slow(overload, 200),
  load: awaited(small, 64),
}

export const consumingPaths: readonly Path[] = [
  ...(['sqlite', 'kafka'] as const).map(prefetch),
  ...(['memory', 'sqlite', 'kafka'] as const).flatMap((system) => [retries(system), dead(system)]),
  stuck,
  leaks,
  batch,
]
