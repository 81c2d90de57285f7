import { sqlite } from '../../src/adapters/sqlite/index.ts'
import type {
  Received,
  Session,
  SessionOptions,
  SettleResult,
  Settlement,
  Transport,
} from '../../src/contract/transport.ts'
import { onwards, type Outgoing } from '../../src/event/outgoing.ts'

/** Ways in which a transport can break its word between processes; `open('FLAW:PATH')` gives sqlite with one of them. */
export const flaws: Readonly<Record<string, (inner: Transport) => Partial<Transport>>> = {
  none: () => ({}),
  'resolves a publish before the system has it': (inner) => ({
    // Whoever closes it meanwhile never learns what became of the rest: that is the flaw.
    publish: async (events) => void setTimeout(() => void inner.publish(events).catch(() => {}), 300).unref(),
  }),
  'takes a publish twice': (inner) => ({ publish: (events) => inner.publish([...events, ...events]) }),
  'has no order by key': (inner) => ({
    declare: (queues) => inner.declare(queues.map((spec) => ({ ...spec, order: false }))),
    open: (queue, options) => inner.open(queue, { ...options, order: false }),
  }),
  'never ends a lease': (inner) => sessions(inner, endless, (lease) => 100 * lease),
  'counts leases by the wall clock': (inner) => ({
    open: (queue, options) =>
      inner.open(queue, { ...options, clock: { ...options.clock, monotonic: () => Date.now() } }),
  }),
  'forgets the failures of an event': (inner) => claims(inner, (one) => count(one, 1)),
  'gives several lapsed events at once': (inner) =>
    sessions(inner, (session) => ({
      exchange: (request) =>
        session.exchange(request.lapsed === 1 ? { ...request, max: 0, lapsed: 200 } : request),
    })),
  'counts a crash among others': (inner) =>
    claims(inner, (one) => {
      if (one.lapsed) count(one, one.attempt + 1)
    }),
  'takes a settlement that is too late': (inner) =>
    sessions(inner, (session) => {
      const takeLate = async (
        list: readonly Settlement[],
        results?: readonly SettleResult[],
      ): Promise<void> => {
        const late = list.filter(
          (one, i) => one.as === 'retry' && ['lost', 'gone'].includes(String(results?.[i])),
        )
        await inner.publish(late.map(({ of }) => again(of)))
      }
      return {
        extend: async (list, ms) => (await session.extend(list, ms)).map(() => 'ok'),
        async settle(list) {
          const results = await session.settle(list)
          await takeLate(list, results)
          return results
        },
        async exchange(request) {
          const result = await session.exchange(request)
          await takeLate(request.settle, result.settled)
          return result
        },
      }
    }),
}

export function open(place: string): Transport {
  const at = place.indexOf(':')
  const inner = sqlite(place.slice(at + 1))
  return {
    system: inner.system,
    features: inner.features,
    admin: inner.admin,
    declare: (queues) => inner.declare(queues),
    publish: (events, options) => inner.publish(events, options),
    open: (queue, options) => inner.open(queue, options),
    close: () => inner.close(),
    [Symbol.asyncDispose]: () => inner.close(),
    ...flaws[place.slice(0, at)]?.(inner),
  }
}

function sessions(
  inner: Transport,
  change: (session: Session) => Partial<Session>,
  lease = (ms: number): number => ms,
): Partial<Transport> {
  return {
    async open(queue: string, options: SessionOptions) {
      const session = await inner.open(queue, { ...options, lease: lease(options.lease) })
      return {
        claim: session.claim,
        pulls: session.pulls,
        exchange: (request) => session.exchange(request),
        ready: (signal) => session.ready(signal),
        settle: (list) => session.settle(list),
        extend: (list, ms) => session.extend(list, ms),
        quiesce: () => session.quiesce(),
        close: (rest) => session.close(rest),
        ...change(session),
      }
    },
  }
}

const endless = (session: Session): Partial<Session> => ({
  extend: (list, ms) => session.extend(list, 100 * ms),
})

function claims(inner: Transport, change: (received: Received) => void): Partial<Transport> {
  return sessions(inner, (session) => ({
    async exchange(request) {
      const result = await session.exchange(request)
      result.received.forEach(change)
      return result
    },
  }))
}

function count(one: Received, attempt: number): void {
  Object.defineProperty(one, 'attempt', { value: attempt })
}

function again(received: Received): Outgoing {
  return { ...onwards(received), deliverAt: undefined }
}
