import { describe, expect, test } from 'vitest'
import { held } from '../../test/held.ts'
import { manualClock } from '../clock/manual-clock.ts'
import { Bag } from '../contract/bag.ts'
import type { Received, Session } from '../contract/transport.ts'
import type { Held } from './held.ts'
import { Leases } from './leases.ts'
import { Reporter } from '../report/reporter.ts'

const lease = 300
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Leases whose system answers as `extend` says. */
function leasing(
  extend: (list: readonly Received[], ms: number) => Promise<readonly ('ok' | 'lost')[]>,
  certainUntil?: number,
) {
  const clock = manualClock()
  const events = new Bag<Held>()
  const log: string[] = []
  const write = (line: unknown): void => void log.push(String(line))
  const calls: string[] = []
  const session = {
    certainUntil,
    extend: (list: readonly Received[], ms: number) => {
      calls.push(`${list.map(({ id }) => id).join()} ${ms} at ${clock.monotonic()}`)
      return extend(list, ms)
    },
  } as unknown as Session
  const leases: Leases = new Leases({
    clock,
    lease,
    held: events,
    session: () => session,
    reporter: new Reporter({ debug: write, info: write, warn: write, error: write }),
    queue: 'q',
    lost: (list) => {
      if (list.length > 0) log.push(`lost ${list.map(({ received }) => received.id).join()}`)
    },
    renewed: () => log.push('renewed'),
  })
  leases.start()
  const add = (id: string, state: Held['state'] = 'running'): Held => {
    const event = held(id)
    event.state = state
    event.leaseEnd = clock.monotonic() + lease
    events.add(event)
    return event
  }
  const advance = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 50) {
      clock.advance(Math.min(left, 50))
      await settle()
    }
  }
  return { clock, log, calls, leases, add, advance }
}

const ok = async (list: readonly Received[]): Promise<readonly 'ok'[]> => list.map(() => 'ok')

describe('renewal', () => {
  test('many at a time, from a third of their length on', async () => {
    const { add, advance, calls } = leasing(ok)
    const [one, two] = [add('1'), add('2', 'waiting')]
    await advance(100)
    expect(calls).toEqual(['1,2 300 at 100'])
    expect([one.leaseEnd, two.leaseEnd]).toEqual([400, 400])
    await advance(100)
    expect(calls[1]).toBe('1,2 300 at 200')
  })

  test('lasts no longer than the system surely leaves everything to the session', async () => {
    const { add, advance, leases } = leasing(ok, 350)
    const [one, two] = [add('1'), add('2', 'waiting')]
    await advance(100)
    expect([one.leaseEnd, two.leaseEnd]).toEqual([350, 350])
    await leases.extend(two, 1_000)
    expect(two.leaseEnd).toBe(350)
  })

  test('not of what is over, lost, or has run too long', async () => {
    const { add, advance, calls } = leasing(ok)
    add('over', 'over')
    add('lost').lost = true
    add('late').timedOut = true
    add('settling', 'settling')
    await advance(100)
    expect(calls).toEqual(['settling 300 at 100'])
  })

  test('that fails is tried again sooner, starts nothing, and is no hot loop', async () => {
    let down = true
    const { add, advance, calls, log, leases } = leasing((list) =>
      down ? Promise.reject(new Error('cut')) : ok(list),
    )
    const event = add('1', 'waiting')
    await advance(400)
    expect(event.leaseEnd).toBe(300)
    expect(calls).toEqual(['1 300 at 100', '1 300 at 200', '1 300 at 300', '1 300 at 400'])
    const told = 'millrace q: The leases could not be renewed; trying again: cut [CONNECTION_LOST]'
    expect(log).toEqual([told])
    leases.renewNow()
    await settle()
    expect(calls).toHaveLength(5)
    down = false
    await advance(100)
    expect([event.leaseEnd, log.at(-1)]).toEqual([800, 'renewed'])
    expect(log.filter((line) => line.includes('renewed again'))).toHaveLength(1)
    down = true
    await advance(200)
    expect(log.filter((line) => line === told)).toHaveLength(2)
  })

  test('says when the event loop was blocked for longer than the lease', async () => {
    const { clock, log } = leasing(ok)
    clock.advance(100)
    await settle()
    // What a blocked loop does: the timer that was due at 200 runs at 1,500.
    const blocked = clock.monotonic.bind(clock)
    clock.monotonic = () => blocked() + 1_300
    clock.advance(100)
    await settle()
    expect(log.filter((line) => line.includes('blocked'))).toEqual([
      'millrace q: The event loop was blocked for 1.4 s, longer than the lease: events may be handled twice [LEASE_LOST]',
    ])
  })
})

describe('a lost lease', () => {
  test('aborts a handler, and is told of all at once', async () => {
    const { add, advance, log } = leasing(async (list) => list.map(() => 'lost' as const))
    const [running, waiting] = [add('1'), add('2', 'waiting')]
    await advance(100)
    expect(running.signal.reason).toMatchObject({ code: 'LEASE_LOST' })
    expect([running.lost, waiting.lost]).toEqual([true, true])
    expect(log).toEqual([
      'millrace q a.b 1: lost its lease: another consumer may handle it [LEASE_LOST]',
      'millrace q a.b 2: lost its lease: another consumer may handle it [LEASE_LOST]',
      'lost 1,2',
      'renewed',
    ])
  })

  test('told by the system, counts at once, and for what is held only', () => {
    const { add, leases, log } = leasing(ok)
    const event = add('1')
    leases.lose([held('other').received])
    expect(log).toEqual([])
    leases.lose([event.received])
    leases.lose([event.received])
    expect([event.lost, log]).toEqual([
      true,
      ['millrace q a.b 1: lost its lease: another consumer may handle it [LEASE_LOST]', 'lost 1'],
    ])
  })

  test('while it is being settled changes nothing', () => {
    const { add, leases, log } = leasing(ok)
    const event = add('1', 'settling')
    leases.lose([event.received])
    expect([event.lost, log]).toEqual([false, []])
  })
})

describe('extend', () => {
  test('reaches beyond the lease and beyond maxHandling, but never shortens', async () => {
    const { add, leases, calls } = leasing(ok)
    const event = add('1')
    event.deadline = 5_000
    await leases.extend(event, '10s')
    expect([calls, event.leaseEnd, event.deadline]).toEqual([['1 10000 at 0'], 10_000, 10_000])
    await leases.extend(event, 10)
    expect([calls[1], event.deadline]).toEqual(['1 300 at 0', 10_000])
  })

  test('rejects when the lease is lost', async () => {
    const { add, leases } = leasing(async () => ['lost'])
    const event = add('1')
    await expect(leases.extend(event, '1s')).rejects.toMatchObject({ code: 'LEASE_LOST' })
    expect(event.signal.aborted).toBe(true)
    await expect(leases.extend(event, -1)).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  })
})

test('stopping leaves no timer, nor does a renewal that ends later', async () => {
  const { add, clock, leases } = leasing(ok)
  add('1')
  clock.advance(100)
  leases.stop()
  await settle()
  expect(clock.nextIn).toBeUndefined()
})
