import { describe, expect, test } from 'vitest'
import { growthOf, minutesOf, type Sample } from './curve.ts'
import { breachesOf } from './judge.ts'
import { Ledger, Numbers, type Account } from './ledger.ts'
import type { Path } from './path.ts'
import type { Result } from './subject-process.ts'

/* Each rule is broken by an outcome that is made up. */

const path: Path = {
  name: 'memory.made-up',
  system: 'memory',
  about: '',
  heap: 200,
  ceiling: 300,
  counted: Infinity,
  told: ['STORE_FULL'],
  queue: {},
  handle: () => undefined,
  load: async () => {},
}

/** A sample each second, of a level a minute. */
function minutes(...levels: readonly number[]): readonly Sample[] {
  return levels.flatMap((mib, minute) =>
    Array.from({ length: 60 }, (_, second) => ({ at: minute * 60 + second, mib })),
  )
}

function accountOf(run: (ledger: Ledger) => void): Account {
  const ledger = new Ledger()
  run(ledger)
  return ledger.account
}

const good: Result = {
  account: accountOf((ledger) => {
    for (const n of [1, 2, 3]) ledger.taken(n)
    ledger.handled(1)
    ledger.dead(2)
    ledger.waits(3)
    ledger.refused('STORE_FULL')
    // Nobody knows whether it was taken, so either is right.
    ledger.unsure(4, 'CONNECTION_LOST')
    ledger.unsure(5, 'CONNECTION_LOST')
    ledger.handled(5)
  }),
  counts: { ready: 0, waiting: 1, dead: 1 },
  notices: {},
  samples: minutes(100, 200, 220, 240),
  peak: 250,
  drained: 1,
}

test('an outcome that keeps all promises has no breach', () => expect(breachesOf(path, good)).toEqual([]))

describe('a breach is', () => {
  const broken: Readonly<Record<string, Partial<Result>>> = {
    'nothing came to an end': { account: accountOf(() => {}), counts: { ready: 0, waiting: 0, dead: 0 } },
    '1 events were taken and never seen again': { account: { ...good.account, open: 1 } },
    '1 events were handled that nobody had taken': { account: { ...good.account, stray: 1 } },
    '1 events were handled again, though only 0 leases were lost': {
      account: { ...good.account, repeated: 1 },
    },
    'the queue has 1 events that are ready': { counts: { ...good.counts, ready: 1 } },
    'the queue has 0 that wait, not 1': { counts: { ...good.counts, waiting: 0 } },
    'the queue has 2 dead letters, not 1': { counts: { ...good.counts, dead: 2 } },
    'the process took 301 MiB, more than 300': { peak: 301 },
    'the last minute took 1.25 times what the second took': { samples: minutes(100, 200, 220, 250) },
    'nobody was told STORE_FULL': { account: { ...good.account, refused: {} } },
  }

  test.each(Object.keys(broken))('%s', (text) => {
    const breaches = breachesOf(path, { ...good, ...broken[text] })
    expect(breaches).toContain(text)
  })
})

test('a repeat whose lease was lost is none', () => {
  const repeated = { account: { ...good.account, repeated: 1 }, notices: { LEASE_LOST: 1 } }
  expect(breachesOf(path, { ...good, ...repeated })).toEqual([])
})

test('what the system counts no further is not asked of it', () => {
  const account = { ...good.account, waiting: 3, dead: 4 }
  const counted = { ...path, counted: 2 }
  expect(breachesOf(counted, { ...good, account, counts: { ready: 0, waiting: 2, dead: 2 } })).toEqual([])
  expect(breachesOf(counted, { ...good, account, counts: { ready: 0, waiting: 2, dead: 1 } })).toEqual([
    'the queue has 1 dead letters, not 2',
  ])
})

test('two minutes are too short to grow, or to be told anything', () => {
  const soon = { samples: minutes(100, 400), account: { ...good.account, refused: {} } }
  expect(breachesOf(path, { ...good, ...soon })).toEqual([])
})

test('a minute has its least, median and most; half a one at the end counts', () => {
  const samples = minutes(1, 5).map((sample) => {
    if (sample.at === 7) return { ...sample, mib: 0 }
    return sample.at === 59 ? { ...sample, mib: 9 } : sample
  })
  const first = { least: 0, median: 1, most: 9 }
  expect(minutesOf(samples.slice(0, 91))).toEqual([first, { least: 5, median: 5, most: 5 }])
  expect(minutesOf(samples.slice(0, 90))).toEqual([first])
  expect(minutesOf([])).toEqual([])
  expect(growthOf(minutesOf(minutes(1, 2, 9, 3)))).toBe(1.5)
})

describe('the ledger', () => {
  test('takes what is said of an event in any order', () => {
    const said: readonly ((ledger: Ledger) => void)[] = [
      (ledger) => ledger.taken(7),
      (ledger) => ledger.handled(7),
    ]
    for (const order of [said, said.toReversed()]) {
      const account = accountOf((ledger) => order.forEach((say) => say(ledger)))
      expect(account).toMatchObject({ taken: 1, handled: 1, open: 0, stray: 0, repeated: 0 })
    }
  })

  test('knows what is missing, what nobody took, and what came again', () => {
    const account = accountOf((ledger) => {
      ledger.taken(1)
      ledger.handled(2)
      ledger.taken(3)
      ledger.handled(3)
      ledger.handled(3)
    })
    expect(account).toMatchObject({ taken: 2, handled: 2, open: 1, stray: 1, repeated: 1 })
  })

  test('has no room for more than it was made for', () => {
    expect(() => new Ledger().taken(2 ** 25)).toThrow(RangeError)
  })
})

test('a number that was given back is used again', () => {
  const numbers = new Numbers()
  expect([numbers.take(), numbers.take()]).toEqual([0, 1])
  numbers.giveBack(0)
  expect([numbers.take(), numbers.take()]).toEqual([0, 2])
})
