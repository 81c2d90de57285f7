import type { Duration } from '../clock/duration.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import { derivedId } from '../event/ids.ts'
import type { EventRecord, MillraceEvent } from '../event/event.ts'
import { recordOf } from '../event/outgoing.ts'
import type { EventSender, PublishOptions, SendOptions, UntypedPublish } from '../contract/publishing.ts'
import { report, type Context, type NextMisuse } from './chain.ts'
import type { RunTransaction } from './run-transaction.ts'

/** What a context is made from: an event held by a subscription, or a delivery somebody brought. */
export interface Handled {
  readonly event: EventRecord
  readonly queue: string
  readonly attempt: number
  /** Whether its last holder died with it. */
  readonly lapsed: boolean
  /** Made only when it is read: most handlers never look at it. */
  readonly signal: AbortSignal
  /** In transactional queues. */
  readonly transaction?: RunTransaction | undefined
  extend(by: Duration): Promise<void>
  notice(code: NextMisuse, message: string): void
  /** It has joined a batch that has not started: that time is not the handler's. */
  gather(): void
  /** Its batch starts. Calls `leave` once, when this run is over. @throws MillraceError LEASE_LOST if it may not start any more */
  begin(leave: () => void): void
  /** Its batch fails as a whole. That is one failure, for which another event of the batch stands. */
  failAlong(): void
}

const handled: unique symbol = Symbol('millrace.handled')
const publisherOf: unique symbol = Symbol('millrace.publisher')
const published: unique symbol = Symbol('millrace.publish')
const members: unique symbol = Symbol('millrace.members')

/** The context of one run of a handler. Middlewares add to copies of it, so nothing here may be `#private`. */
export class HandlerContext implements Context {
  readonly queue: string
  readonly attempt: number
  readonly [handled]: Handled
  readonly [publisherOf]: EventSender;
  [published]: UntypedPublish | undefined = undefined

  constructor(of: Handled, publisher: EventSender, attempt = of.attempt) {
    this.queue = of.queue
    this.attempt = attempt
    this[handled] = of
    this[publisherOf] = publisher
  }

  /** Made when first read, and may be taken off the context: `const { publish } = ctx`. */
  get publish(): UntypedPublish {
    return (this[published] ??= publishFrom(this[handled], this[publisherOf]))
  }

  get signal(): AbortSignal {
    return this[handled].signal
  }

  get transaction(): unknown {
    return this[handled].transaction?.handle
  }

  extend(by: Duration): Promise<void> {
    return this[handled].extend(by)
  }

  [report](code: NextMisuse, message: string): void {
    this[handled].notice(code, message)
  }
}

/** Publishes with the handled event as cause, and in the transaction of its run. */
function publishFrom(of: Handled, publisher: EventSender): UntypedPublish {
  return async (
    first: string | MillraceEvent | readonly MillraceEvent[],
    second?: unknown,
    third: PublishOptions = {},
  ) => {
    const given = typeof first === 'string' ? third : ((second ?? {}) as SendOptions)
    if (of.transaction === undefined || given.transaction !== undefined)
      return send(of, publisher, first, second, third)
    const { transaction } = of
    const joined = { ...given, transaction: transaction.handle }
    return transaction.publish(() =>
      typeof first === 'string'
        ? send(of, publisher, first, second, joined)
        : send(of, publisher, first, joined, third),
    )
  }
}

async function send(
  of: Handled,
  publisher: EventSender,
  first: string | MillraceEvent | readonly MillraceEvent[],
  second: unknown,
  third: PublishOptions,
): Promise<void> {
  const parent = of.event
  const correlationId = parent.correlationId ?? parent.id
  if (typeof first === 'string') {
    const { idempotencyKey, ...options } = third
    const id =
      options.id ??
      (idempotencyKey === undefined ? undefined : derivedId(parent.id, of.queue, idempotencyKey))
    return publisher.publish(first, second, {
      correlationId,
      causationId: parent.id,
      ...options,
      ...(id !== undefined && { id }),
    })
  }
  const events = Array.isArray(first) ? (first as readonly MillraceEvent[]) : [first as MillraceEvent]
  const marked = events.map((given) => {
    const event = recordOf(given)
    // The handled event itself, passed on, is not its own cause.
    return event.id === parent.id || event.causationId !== undefined
      ? event
      : event.with({ correlationId: event.correlationId ?? correlationId, causationId: parent.id })
  })
  return publisher.publish(marked, (second ?? {}) as SendOptions)
}

/** What the context was made from, whatever middlewares have added to it. */
export function handledOf(ctx: Context): Handled {
  return (ctx as unknown as HandlerContext)[handled]
}

/** Whether the event failed before, or was with a process that died: then it must not share its fate with others. */
export function isAlone(ctx: Context): boolean {
  return ctx.attempt > 1 || handledOf(ctx).lapsed
}

/**
 * One context for several events: aborted when one of theirs is, extending them all. What it publishes has no single cause.
 * What middlewares added is there if it is the same for all; else reading it is an error, not the first event's value.
 */
export function batchContext(contexts: readonly Context[]): Context {
  const all = contexts as readonly HandlerContext[]
  const first = all[0] as HandlerContext
  if (all.length === 1) return first
  const added = [...new Set(all.flatMap((ctx) => Object.keys(ctx)))].filter((name) => !ofBatches.has(name))
  const differs = (name: string): boolean => all.some((ctx) => valueOf(ctx, name) !== valueOf(first, name))
  const batch = new (classWithout(added.filter(differs)))(first, all)
  for (const name of added) {
    // What is added may take the place of a getter, such as `transaction`.
    const plain = { value: valueOf(first, name), enumerable: true, configurable: true, writable: true }
    if (!differs(name)) Object.defineProperty(batch, name, plain)
  }
  return batch
}

/** What a batch has of its own, whatever middlewares have put there. */
const ofBatches: ReadonlySet<string> = new Set(['attempt', 'publish', 'signal', 'extend'])

/** A class: objects with getters of their own live until the next major collection, and all of their batch with them. */
class BatchContext extends HandlerContext {
  readonly [members]: readonly Context[]

  constructor(first: HandlerContext, all: readonly Context[]) {
    super(first[handled], first[publisherOf], Math.max(...all.map(({ attempt }) => attempt)))
    this[members] = all
  }

  override get publish(): UntypedPublish {
    return (this[published] ??= batchPublish(this[publisherOf]))
  }

  override get signal(): AbortSignal {
    return AbortSignal.any(this[members].map(({ signal }) => signal))
  }

  override async extend(by: Duration): Promise<void> {
    await Promise.all(this[members].map((ctx) => ctx.extend(by)))
  }
}

const classes = new Map<string, typeof BatchContext>()
/** Names may come from data: then each batch has others. */
const mostClasses = 100

/** One whose contexts refuse to give these. */
function classWithout(names: readonly string[]): typeof BatchContext {
  if (names.length === 0) return BatchContext
  const known = JSON.stringify(names)
  let found = classes.get(known)
  if (found === undefined) {
    found = class extends BatchContext {}
    for (const name of names) Object.defineProperty(found.prototype, name, { get: () => refuse(name) })
    if (classes.size === mostClasses) classes.clear()
    classes.set(known, found)
  }
  return found
}

function valueOf(ctx: Context, name: string): unknown {
  return (ctx as unknown as Record<string, unknown>)[name]
}

function refuse(name: string): never {
  throw new MillraceError(
    'BATCH_CONTEXT',
    `ctx.${name} differs between the events of the batch, so the batch has none`,
  )
}

/** Events of a batch have no one cause, and no one id to derive others from. */
function batchPublish({ publish }: EventSender): UntypedPublish {
  return async (...args: readonly unknown[]) => {
    if ((args[2] as PublishOptions | undefined)?.idempotencyKey !== undefined) {
      throw new MillraceError(
        'BATCH_CONTEXT',
        'A batch has no single event to make an id from: give the id yourself',
      )
    }
    return (publish as (...all: readonly unknown[]) => Promise<void>)(...args)
  }
}
