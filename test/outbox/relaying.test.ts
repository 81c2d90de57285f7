import { describe, expect, onTestFinished, test } from 'vitest'
import { memory } from '../../src/adapters/memory/index.ts'
import { sqlite } from '../../src/adapters/sqlite/index.ts'
import { within } from '../../src/clock/within.ts'
import { gate, Inbox } from '../../src/conformance/apps.ts'
import { numbers } from '../../src/conformance/harness.ts'
import { PublishError, type PublishOutcome } from '../../src/contract/publish-error.ts'
import type { ErrorCode } from '../../src/errors/codes.ts'
import { MillraceError } from '../../src/errors/millrace-error.ts'
import type { Outgoing } from '../../src/event/outgoing.ts'
import type { App, DeadLetter, QueueStats, Transport } from '../../src/index.ts'
import { faultyTransport, never, type SessionFaults, type TransportFaults } from '../faulty-transport.ts'
import { numbered, openShop, type Shop } from './shop.ts'

const outbox = 'millrace.outbox'

/** What a transport answers to the n-th publish; undefined: it takes all. */
type Answer = (events: readonly Outgoing[], n: number) => PublishError | undefined

/** Memory that takes those of the events that the answer calls taken. */
function answering(answer: Answer): Transport {
  let calls = 0
  return faultyTransport({
    async publish(call, events, options) {
      const error = answer(events, calls++)
      await call(
        events.filter((_, i) => error === undefined || error.results[i] === 'taken'),
        options,
      )
      if (error !== undefined) throw error
    },
  })
}

function refusal(
  results: readonly PublishOutcome[],
  retryable: boolean,
  code: ErrorCode = retryable ? 'CONNECTION_LOST' : 'TOPIC_RESERVED',
): PublishError {
  return new PublishError('refused by the test', { results, retryable, code })
}

const all = <T>(events: readonly unknown[], outcome: T): T[] => events.map(() => outcome)
const dataOf = ({ data }: Outgoing): number => JSON.parse(String(data)) as number

async function started(
  shop: Shop,
  transport: Transport,
  count: number,
  store?: Transport,
): Promise<{ app: ReturnType<Shop['app']>; inbox: Inbox<number> }> {
  const app = shop.app({ transport, ...(store && { outbox: store }) })
  const inbox = new Inbox<number>(count)
  app.queue('all', { concurrency: 1 }).on('*', ({ data }) => inbox.add(data as number))
  await app.start()
  return { app, inbox }
}

const publish = (shop: Shop, app: App, ...args: Parameters<typeof numbered>): Promise<void> =>
  shop.transaction('COMMIT', (transaction) => app.publish(numbered(...args), { transaction }))

async function statsOf(shop: Shop): Promise<QueueStats | undefined> {
  const store = sqlite(shop.path)
  onTestFinished(() => store.close())
  return (await store.admin.queues()).find(({ name }) => name === outbox)
}

describe('an event that the transport refuses for good', () => {
  const letterOf = async (answer: Answer, count: number) => {
    const shop = await openShop()
    const transport = answering(answer)
    const { app, inbox } = await started(shop, transport, count - 1)
    const letters = new Inbox<DeadLetter>(1)
    app.onDeadLetter((letter) => letters.add(letter))
    await publish(shop, app, count, (n) => `k${n % 3}`)
    await Promise.all([inbox.full, letters.full])
    expect(inbox.values).toEqual(numbers(count).filter((n) => n !== 4))
    expect(letters.values).toMatchObject([
      { queue: outbox, event: { data: 4 }, attempts: 1, error: { code: 'TOPIC_RESERVED' } },
    ])
    expect(await statsOf(shop)).toMatchObject({ dead: 1, depth: 0, inFlight: 0, retrying: 0 })
  }

  test('is a dead letter of the outbox, and those with it are sent', () =>
    letterOf((events) => {
      const results = events.map((event) => (dataOf(event) === 4 ? 'rejected' : 'taken') as PublishOutcome)
      return results.includes('rejected') ? refusal(results, false) : undefined
    }, 9))

  test('is found where all with it are refused, or those behind it of its key', () =>
    letterOf(
      (events) =>
        events.some((event) => dataOf(event) === 4) ? refusal(all(events, 'rejected'), false) : undefined,
      9,
    ))
})

describe('a transport that takes nothing for a while', () => {
  test.each<[string, (events: readonly Outgoing[]) => PublishError]>([
    ['rejected, to be tried again', (events) => refusal(all(events, 'rejected'), true)],
    ['unknown', (events) => refusal(all(events, 'unknown'), true)],
    ['a login that is refused', (events) => refusal(all(events, 'rejected'), false, 'LOGIN_REFUSED')],
  ])('%s: is told once, waited for, and counts no attempt', async (_name, answer) => {
    const shop = await openShop()
    const attempts: number[] = []
    const transport = answering((events, n) => (n < 4 ? answer(events) : undefined))
    const { app, inbox } = await started(shop, transport, 5)
    app.onNotice(({ queue }) => queue === outbox && attempts.push(1))
    await publish(shop, app, 5)
    await inbox.full
    await app.saying('takes what is relayed again')
    expect(inbox.values).toEqual(numbers(5))
    expect(app.log.filter((line) => line.includes('Nothing can be relayed'))).toHaveLength(1)
    expect(app.log.filter((line) => line.includes('attempt'))).toEqual([])
    expect(attempts).toHaveLength(2)
  })

  test('cannot be opened: the same, and no event is given up', async () => {
    const shop = await openShop()
    const app = shop.app({ transport: memory(), relay: false })
    await publish(shop, app, 3)
    await app.stop()
    let failures = 3
    const transport = faultyTransport({
      async declare(call, specs) {
        if (failures-- > 0) throw new MillraceError('INVALID_OPTION', 'set up wrong')
        return call(specs)
      },
    })
    const relay = shop.app({ transport })
    const inbox = new Inbox<number>(3)
    relay.queue('all', { concurrency: 1 }).on('*', ({ data }) => inbox.add(data as number))
    await expect(relay.start()).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    await relay.saying('takes what is relayed again')
    await relay.start()
    await inbox.full
    expect(inbox.values).toEqual(numbers(3))
  })
})

test('what was perhaps taken is sent again, with the same id', async () => {
  const shop = await openShop()
  const ids: string[] = []
  let calls = 0
  const transport = faultyTransport({
    async publish(call, events, options) {
      ids.push(...events.map(({ id }) => id))
      await call(events, options)
      if (calls++ === 0) throw refusal(all(events, 'unknown'), true)
    },
  })
  const { app, inbox } = await started(shop, transport, 6)
  await publish(shop, app, 3)
  await inbox.full
  expect(inbox.values).toEqual([0, 1, 2, 0, 1, 2])
  expect(ids.slice(0, 3)).toEqual(ids.slice(3))
})

test('what fails while others are taken waits, and nothing of its key goes before it', async () => {
  const shop = await openShop()
  const failed = new Set<number>()
  // Every seventh fails once, and with it all behind it of its key in the same call.
  const transport = answering((events) => {
    const keys = new Set<string>()
    const results = events.map((event): PublishOutcome => {
      const n = dataOf(event)
      const fails = n % 7 === 0 && events.length > 1 && !failed.has(n)
      if (fails) failed.add(n)
      if (fails) keys.add(event.key!)
      return keys.has(event.key!) ? 'rejected' : 'taken'
    })
    return keys.size === 0 ? undefined : refusal(results, true)
  })
  const count = 400
  const { app, inbox } = await started(shop, transport, count)
  await publish(shop, app, count, (n) => `k${n % 40}`)
  await inbox.full
  expect(failed.size).toBeGreaterThan(10)
  for (const key of numbers(40)) {
    expect(inbox.values.filter((n) => n % 40 === key)).toEqual(numbers(count).filter((n) => n % 40 === key))
  }
  expect(app.log.filter((line) => line.includes('attempt 1 failed')).length).toBeGreaterThan(0)
})

test('an outbox that does not answer for a while is told once; what was sent meanwhile is not sent again', async () => {
  const shop = await openShop()
  const faults: SessionFaults = {}
  const { app, inbox } = await started(shop, memory(), 10, faultyTransport({}, faults, sqlite(shop.path)))
  let failures = 3
  faults.exchange = (call, request) => {
    if (request.settle.length > 0 && failures-- > 0)
      return Promise.reject(new MillraceError('STORE_BUSY', 'not now'))
    return call(request)
  }
  await publish(shop, app, 10)
  await app.saying('The outbox can be read again')
  await inbox.full
  expect(inbox.values).toEqual(numbers(10))
  expect(app.log.filter((line) => line.includes('The outbox cannot be read'))).toHaveLength(1)
})

describe('a stop', () => {
  test('finishes the batch that is on its way', async () => {
    const shop = await openShop()
    const { passed, open } = gate()
    const under = gate()
    const publishFault: TransportFaults['publish'] = async (call, events, options) => {
      under.open()
      await passed
      return call(events, options)
    }
    const { app } = await started(shop, faultyTransport({ publish: publishFault }), 1)
    await publish(shop, app, 3)
    await under.passed
    const stopped = app.stop()
    open()
    await stopped
    expect(await statsOf(shop)).toMatchObject({ depth: 0, inFlight: 0 })
  })

  test('in an outage gives everything back at once', async () => {
    const shop = await openShop()
    const transport = answering((events) => refusal(all(events, 'rejected'), true))
    const { app } = await started(shop, transport, 1)
    await publish(shop, app, 300)
    await app.saying('Nothing can be relayed')
    expect(await within(app.stop(), 5_000)).toBe(true)
    expect(await statsOf(shop)).toMatchObject({ depth: 300, inFlight: 0, retrying: 0 })
  })

  test('asks once more for what has lapsed and cannot be taken, and not again and again', async () => {
    const shop = await openShop()
    let asked = 0
    const exchange: SessionFaults['exchange'] = async (call, request) => {
      asked++
      return { ...(await call(request)), lapsed: true }
    }
    const { app, inbox } = await started(
      shop,
      memory(),
      3,
      faultyTransport({}, { exchange }, sqlite(shop.path)),
    )
    await publish(shop, app, 3)
    await inbox.full
    const before = asked
    await app.stop()
    expect(asked - before).toBeLessThan(10)
  })

  test('resolves while the outbox cannot be reached, and says what it could not give back', async () => {
    const shop = await openShop()
    const close: SessionFaults['close'] = () =>
      Promise.reject(new MillraceError('TRANSPORT_UNREACHABLE', 'connect ECONNREFUSED'))
    const { app } = await started(shop, memory(), 1, faultyTransport({}, { close }, sqlite(shop.path)))
    await app.stop()
    expect(app.log.join()).toContain('connect ECONNREFUSED')
  })

  test('waits no longer than it may for a transport that hangs, whose events keep their leases', async () => {
    const shop = await openShop()
    const under = gate()
    const transport = faultyTransport({
      publish: () => {
        under.open()
        return never()
      },
    })
    const { app } = await started(shop, transport, 1)
    await publish(shop, app, 3)
    await under.passed
    expect(await within(app.stop({ timeout: 100 }), 2_100)).toBe(true)
    expect(await statsOf(shop)).toMatchObject({ depth: 0, inFlight: 3 })
  })
})
