import type { MemoryTransport } from '../../src/adapters/memory/memory-transport.ts'
import type {
  ExchangeRequest,
  Received,
  Session,
  Settlement,
  Transport,
} from '../../src/contract/transport.ts'
import type { TransportAdmin } from '../../src/contract/transport-admin.ts'
import type { Features } from '../../src/contract/features.ts'
import type { Outgoing } from '../../src/event/outgoing.ts'

/** What a broken transport remembers to do harm with. */
export interface Loot {
  readonly transport: MemoryTransport
  /** What was published, by id. */
  readonly published: Map<string, Outgoing>
  /** Who claimed an event last, by its id. */
  readonly holders: Map<string, { readonly session: Session; readonly of: Received }>
}

/** How a transport is broken. What is not named works as in memory. */
export interface Sabotage {
  /** What it says of itself besides what is true. */
  readonly features?: Partial<Features>
  readonly outgoing?: (event: Outgoing) => Outgoing
  readonly settlement?: (settlement: Settlement) => Settlement
  readonly request?: (request: ExchangeRequest) => ExchangeRequest
  readonly received?: (received: Received, loot: Loot) => Partial<Received>
  readonly transport?: (
    inner: MemoryTransport,
  ) => Partial<Pick<Transport, 'declare' | 'publish' | 'open' | 'close'>>
  readonly session?: (inner: Session, loot: Loot) => Partial<Session>
  readonly admin?: (inner: TransportAdmin, loot: Loot) => Partial<TransportAdmin>
}

/** One way to be wrong, and the cases of the suite that must notice. */
export interface Proof {
  readonly by: Sabotage
  readonly caughtBy: readonly string[]
}

/** A transport that does everything as the inner one does, except what the sabotage names. */
export function brokenTransport(transport: MemoryTransport, by: Sabotage): Transport {
  const loot: Loot = { transport, published: new Map(), holders: new Map() }
  const { admin } = transport
  const parts = {
    declare: transport.declare.bind(transport),
    publish: transport.publish.bind(transport),
    open: transport.open.bind(transport),
    close: transport.close.bind(transport),
    ...by.transport?.(transport),
  }
  return {
    system: 'broken',
    features: { ...transport.features, ...by.features },
    ...parts,
    publish(events, options) {
      for (const event of events) loot.published.set(event.id, event)
      return parts.publish(by.outgoing === undefined ? events : events.map(by.outgoing), options)
    },
    open: async (queue, options) => brokenSession(await parts.open(queue, options), by, loot),
    admin: {
      queues: () => admin.queues(),
      deadLetters: (queue, page) => admin.deadLetters(queue, page),
      deadLetter: (queue, letter) => admin.deadLetter(queue, letter),
      redrive: (queue, letters, replace) => admin.redrive(queue, letters, replace),
      purge: (queue, letters) => admin.purge(queue, letters),
      removeQueue: (queue) => admin.removeQueue(queue),
      unbind: (queue, subscriptions) => admin.unbind(queue, subscriptions),
      redriveUnrouted: () => admin.redriveUnrouted(),
      ...by.admin?.(admin, loot),
    },
    [Symbol.asyncDispose]: () => parts.close(),
  }
}

function brokenSession(inner: Session, by: Sabotage, loot: Loot): Session {
  // A session knows only what it handed out itself, so altered events are changed back on the way in.
  const originals = new WeakMap<Received, Received>()
  const original = (one: Received): Received => originals.get(one) ?? one
  const settlements = (list: readonly Settlement[]): readonly Settlement[] =>
    list.map((one) => ({ ...(by.settlement?.(one) ?? one), of: original(one.of) }))
  const altered = (one: Received): Received => {
    const { id, type, key, attempt, lapsed, head, data, trail } = one
    const copy = { id, type, key, attempt, lapsed, head, data, trail, ...by.received?.(one, loot) }
    originals.set(copy, one)
    return copy
  }
  const session: Session = {
    claim: inner.claim,
    pulls: inner.pulls,
    async exchange(request) {
      const { settle, ...rest } = by.request?.(request) ?? request
      const result = await inner.exchange({ ...rest, settle: settlements(settle) })
      return { ...result, received: result.received.map(altered) }
    },
    settle: (list) => inner.settle(settlements(list)),
    extend: (list, ms) => inner.extend(list.map(original), ms),
    ready: (signal) => inner.ready(signal),
    quiesce: () => inner.quiesce(),
    close: ({ keep = [] } = {}) => inner.close({ keep: keep.map(original) }),
  }
  return { ...session, ...by.session?.(session, loot) }
}
