import { aborted } from '../../src/clock/aborted.ts'
import type { Received, Session, Settlement, SettleResult } from '../../src/contract/transport.ts'
import type { Proof, Sabotage } from './broken-transport.ts'

/** Settlements of one kind are acknowledged, and their events published anew. */
const republishing = (as: Settlement['as']): Sabotage => ({
  session: (inner, { published, transport }) => ({
    async settle(list) {
      const moved = list.filter((one) => one.as === as).flatMap(({ of }) => published.get(of.id) ?? [])
      await inner.settle(list.map((one) => (one.as === as ? { of: one.of, as: 'ack' } : one)))
      await transport.publish(moved)
      return undefined
    },
  }),
})

/** Takes settlements of one kind for another. */
const mistaking = (as: Settlement['as'], other: Settlement['as']): Sabotage => ({
  settlement: (one) => (one.as === as ? { ...one, as: other } : one),
})

/** Sees what a session is given. */
const watching = (session: Session, seen: (list: readonly Received[]) => unknown): Session['exchange'] =>
  async function exchange(request) {
    const result = await session.exchange(request)
    await seen(result.received)
    return result
  }

/** Whoever is woken while somebody acknowledges goes on waiting. */
const deafToAcks = (): Sabotage => {
  let acknowledging = false
  const during = <T>(list: readonly Settlement[], work: Promise<T>): Promise<T> => {
    acknowledging = list.some(({ as }) => as === 'ack')
    return work.finally(() => (acknowledging = false))
  }
  return {
    session: (inner) => ({
      exchange: (request) => during(request.settle, inner.exchange(request)),
      settle: (list) => during(list, inner.settle(list)),
      async ready(signal) {
        await inner.ready(signal)
        if (acknowledging) await aborted(signal)
      },
    }),
  }
}

/** Wrong ways to wake consumers, to hand out events and to settle them. */
export const consuming: Readonly<Record<string, Proof>> = {
  'never wakes': {
    by: { session: () => ({ ready: aborted }) },
    caughtBy: [
      'ready wakes on a publish, also one that came just before',
      'ready wakes on a publish by another instance',
      'ready wakes when a lease runs out, and does not spin once its session knows',
      'redrive: all of them, some of them, none of them, and ready wakes',
      'a delayed event is never early, and ready wakes for it',
    ],
  },
  'wakes only for what comes after it was asked': {
    by: {
      session: (_inner, { transport }) => ({
        ready: (signal) =>
          Promise.race([aborted(signal), new Promise<void>((resolve) => void transport.onChange(resolve))]),
      }),
    },
    caughtBy: ['ready wakes on a publish, also one that came just before'],
  },
  'looks once more before it waits, and keeps to itself what it sees': {
    by: {
      session: (inner) => ({
        async ready(signal) {
          await inner.exchange({ settle: [], max: 0 }).catch(() => undefined)
          await inner.ready(signal)
        },
      }),
    },
    caughtBy: ['a lease that runs out between an exchange and ready wakes it, too'],
  },
  'wakes nobody when a key is acknowledged': {
    by: deafToAcks(),
    caughtBy: ['an ack that frees a key wakes the other sessions'],
  },
  'wakes all the time': {
    by: { session: () => ({ ready: async () => {} }) },
    caughtBy: ['ready wakes when a lease runs out, and does not spin once its session knows'],
  },
  'does not stop waiting': {
    by: { session: (inner) => ({ ready: () => inner.ready(new AbortController().signal) }) },
    caughtBy: ['ready ends at once when it is aborted, and never rejects'],
  },
  'claims for max 0': {
    by: { request: (request) => ({ ...request, max: Math.max(request.max, 1) }) },
    caughtBy: ['an exchange with max 0 claims nothing'],
  },
  'claims one more': {
    by: { request: (request) => (request.max > 0 ? { ...request, max: request.max + 1 } : request) },
    caughtBy: ['settling and claiming in one exchange', 'release puts an event back at its place'],
  },
  'hands out held events': {
    by: {
      session: (inner, { holders }) => ({
        async exchange(request) {
          const result = await inner.exchange(request)
          const held = [...holders.values()].map(({ of }) => of)
          for (const of of result.received) holders.set(of.id, { session: inner, of })
          return { ...result, received: [...result.received, ...held].slice(0, request.max) }
        },
      }),
    },
    caughtBy: [
      'an event that is held is handed out to nobody else',
      'before a lease has run out nobody else gets the event, by lapsed neither',
      'a key that is held elsewhere waits; ready wakes when it is free',
    ],
  },
  'acknowledges nothing': {
    by: mistaking('ack', 'release'),
    caughtBy: [
      'what is published is received, acknowledged and gone',
      'a delayed event stands outside of the order until it is due',
    ],
  },
  'does not settle in an exchange': {
    by: { request: (request) => ({ ...request, settle: [] }) },
    caughtBy: ['settling and claiming in one exchange'],
  },
  'answers done to everything': {
    by: {
      session: (inner) => ({
        async settle(list) {
          await inner.settle(list)
          return undefined
        },
      }),
    },
    caughtBy: [
      'a second settlement has no effect',
      'settlements are answered one by one, in their order',
      'a holder whose event somebody else has changes nothing any more',
    ],
  },
  'loses retries': {
    by: mistaking('retry', 'ack'),
    caughtBy: [
      'retry: the attempt counts up, the trail comes back, until it is acknowledged',
      'retry with a delay: never early, and ready wakes for it',
      'a lapsed event that is retried or released is a normal one again',
      'pass: a retry lets the others of its key pass, and comes back',
    ],
  },
  'retries to the topic': {
    by: republishing('retry'),
    caughtBy: [
      'a retry reaches its own queue only: another queue sees the event once',
      'retry: the attempt counts up, the trail comes back, until it is acknowledged',
    ],
  },
  'gives back to the topic': {
    by: republishing('release'),
    caughtBy: ['release: no attempt counted, the trail kept', 'release puts an event back at its place'],
  },
  'loses what is released': {
    by: mistaking('release', 'ack'),
    caughtBy: [
      'what was released goes on, in any session',
      'release puts an event back at its place',
      'handlers that fail all the time use up no attempts of what waits',
    ],
  },
  'counts give-backs': {
    by: mistaking('release', 'retry'),
    caughtBy: [
      'handlers that fail all the time use up no attempts of what waits',
      'release: no attempt counted, the trail kept',
      'release with a delay: never early, no attempt counted',
      'a lapsed event that is retried or released is a normal one again',
    ],
  },
  'never counts a failure': {
    by: { received: () => ({ attempt: 1 }) },
    caughtBy: [
      'retry: the attempt counts up, the trail comes back, until it is acknowledged',
      'a crash counts once its event was claimed alone',
    ],
  },
  'does not wait': {
    by: { settlement: (one) => ({ ...one, delay: 0 }) },
    caughtBy: [
      'retry with a delay: never early, and ready wakes for it',
      'a retry waits without holding up other events',
      'release with a delay: never early, no attempt counted',
    ],
  },
  'waits for ever': {
    by: { settlement: (one) => (one.delay === undefined ? one : { ...one, delay: 1e12 }) },
    caughtBy: [
      'retry with a delay: never early, and ready wakes for it',
      'park: after its retry the key goes on in its order',
      'park: a parked event that dies lets its key go on',
    ],
  },
  'forgets the trail': {
    by: { settlement: ({ of, as, delay = 0 }) => ({ of, as, delay }) },
    caughtBy: [
      'retry: the attempt counts up, the trail comes back, until it is acknowledged',
      'release: no attempt counted, the trail kept',
    ],
  },
  'keeps what it should give back': {
    by: {
      session(inner) {
        const all: Received[] = []
        return {
          exchange: watching(inner, (list) => all.push(...list)),
          close: () => inner.close({ keep: all }),
        }
      },
    },
    caughtBy: [
      'closing a session gives back what it holds, without an attempt',
      'closing a session puts its events back at their places',
    ],
  },
  'gives back what it should keep': {
    by: { session: (inner) => ({ close: () => inner.close() }) },
    caughtBy: ['closing a session keeps the leases that it was told to keep, until they run out'],
  },
  'lets anybody settle': {
    by: {
      session: (inner, { holders }) => ({
        exchange: watching(inner, (list) => list.map((of) => holders.set(of.id, { session: inner, of }))),
        async settle(list) {
          const results: SettleResult[] = []
          for (const one of list) {
            const { session, of } = holders.get(one.of.id) ?? { session: inner, of: one.of }
            results.push((await session.settle([{ ...one, of }]))?.[0] ?? 'done')
          }
          return results
        },
      }),
    },
    caughtBy: ['a holder whose event somebody else has changes nothing any more'],
  },
  'hands out lapsed events unasked': {
    by: { request: (request) => ({ ...request, lapsed: request.max + (request.lapsed ?? 0) }) },
    caughtBy: [
      'an event whose lease ran out is handed out by lapsed only, and that counts no attempt yet',
      'fresh events and lapsed ones are asked for apart, each at most as many as asked',
      'events whose lease ran out hold back their key, and are handed out in its order',
    ],
  },
  'hands out no lapsed events': {
    by: { request: (request) => ({ ...request, lapsed: 0 }) },
    caughtBy: ['an event whose lease ran out is handed out by lapsed only, and that counts no attempt yet'],
  },
  'hides that an event lapsed': {
    by: { received: () => ({ lapsed: false }) },
    caughtBy: ['an event whose lease ran out is handed out by lapsed only, and that counts no attempt yet'],
  },
  'lets leases run out at once': {
    by: { session: (inner) => ({ exchange: watching(inner, (list) => inner.extend(list, 0)) }) },
    caughtBy: [
      'before a lease has run out nobody else gets the event, by lapsed neither',
      'an event that is held is handed out to nobody else',
    ],
  },
  'counts every crash': {
    by: { received: (one) => ({ attempt: one.lapsed ? one.attempt + 1 : one.attempt }) },
    caughtBy: [
      'an event whose lease ran out is handed out by lapsed only, and that counts no attempt yet',
      'a crash counts once its event was claimed alone',
    ],
  },
  'tells leases by the ids of their events': {
    by: {
      session: (inner) => ({
        async extend(list, ms) {
          const results = await inner.extend(list, ms)
          const extended = new Set(list.filter((_, i) => results[i] === 'ok').map(({ id }) => id))
          return list.map(({ id }) => (extended.has(id) ? 'ok' : 'lost'))
        },
      }),
    },
    caughtBy: ['who claims once more what it has lost holds it by the new claim, and not by the old one'],
  },
  'does not extend': {
    by: { session: () => ({ extend: async (list) => list.map(() => 'ok') }) },
    caughtBy: ['extend keeps the lease', 'extend can shorten a lease, and says which are lost'],
  },
  'keeps no order': {
    by: {
      transport: (inner) => ({
        declare: (specs) => inner.declare(specs.map((spec) => ({ ...spec, order: false }))),
        open: (queue, options) => inner.open(queue, { ...options, order: false }),
      }),
    },
    caughtBy: [
      'events of a key come in their order, and to one session at a time',
      'a key that is held elsewhere waits; ready wakes when it is free',
      'events whose lease ran out hold back their key, and are handed out in its order',
      'an event whose lease ran out is not handed out while the session itself has another of its key',
      'an event whose lease ran out does not overtake one of its key that was given back',
    ],
  },
  'tells all sessions of events that lapsed': {
    by: {
      session: (inner, { holders }) => ({
        async exchange(request) {
          const result = await inner.exchange(request)
          for (const of of result.received)
            if (of.lapsed && of.key !== undefined) holders.set(of.id, { session: inner, of })
          return { ...result, lapsed: result.lapsed === true || holders.size > 0 }
        },
      }),
    },
    caughtBy: ['events whose lease ran out hold back their key, and are handed out in its order'],
  },
  'orders all keys as one': {
    by: {
      outgoing: (event) => ({ ...event, key: 'one' }),
      received: ({ id }, { published }) => ({ key: published.get(id)?.key }),
    },
    caughtBy: ['other keys, and events without a key, do not wait for a held key'],
  },
  'lets parked keys go': {
    by: { settlement: (one) => ({ ...one, park: false }) },
    caughtBy: [
      'park: a retry holds back its key, and nothing else',
      'park: after its retry the key goes on in its order',
      'park: a parked event that dies lets its key go on',
    ],
  },
  'puts parked events behind their key': {
    by: {
      session: (inner, { published, transport }) => ({
        async settle(list) {
          const parked = list.filter(({ park }) => park === true)
          await inner.settle(list.map((one) => (one.park === true ? { of: one.of, as: 'ack' } : one)))
          await transport.publish(parked.flatMap(({ of }) => published.get(of.id) ?? []))
          return undefined
        },
      }),
    },
    caughtBy: ['park: a retry without delay comes before the rest of its key'],
  },
  'parks every retry': {
    by: { settlement: (one) => ({ ...one, park: true }) },
    caughtBy: ['pass: a retry lets the others of its key pass, and comes back'],
  },
  'delivers delayed events at once': {
    by: { outgoing: (event) => ({ ...event, deliverAt: undefined }) },
    caughtBy: [
      'a delayed event is never early, and ready wakes for it',
      'delayed events come in the order of their times',
      '5,000 delayed events hold up nobody',
      'a time that is past means at once; one in thousands of years does no harm',
    ],
  },
  'never delivers delayed events': {
    by: { outgoing: (event) => (event.deliverAt === undefined ? event : { ...event, deliverAt: 1e16 }) },
    caughtBy: [
      'a delayed event is never early, and ready wakes for it',
      'each queue gets its copy of a delayed event',
      'a time that is past means at once; one in thousands of years does no harm',
    ],
  },
  'hands out new events first': {
    by: {
      session: (inner) => ({
        async exchange(request) {
          if (request.lapsed !== undefined) return inner.exchange(request)
          const { max } = request
          const result = await inner.exchange({ ...request, max: max === 0 ? 0 : max + 2 })
          const isNew = ({ key, attempt, head }: Received): boolean =>
            key !== undefined || (attempt === 1 && head.deliverAt === undefined)
          const [first, last] = [result.received.filter(isNew), result.received.filter((one) => !isNew(one))]
          const inTurn = [...first, ...last]
          await inner.settle(inTurn.slice(max).map((of) => ({ of, as: 'release' })))
          return { ...result, received: inTurn.slice(0, max) }
        },
      }),
    },
    caughtBy: ['new events do not hold up one that has become due, delayed or retried'],
  },
  'delays what is behind a delayed event': {
    by: {
      transport(inner) {
        let latest: number | undefined
        return {
          publish: (events, options) =>
            inner.publish(
              events.map((event) => ({ ...event, deliverAt: (latest = event.deliverAt ?? latest) })),
              options,
            ),
        }
      },
    },
    caughtBy: [
      '5,000 delayed events hold up nobody',
      'a delayed event stands outside of the order until it is due',
    ],
  },
}
