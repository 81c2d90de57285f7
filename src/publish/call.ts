import type { BagItem } from '../contract/bag.ts'
import { PublishError, type PublishOutcome } from '../contract/publish-error.ts'
import { isMillraceError, MillraceError, messageOf } from '../errors/millrace-error.ts'
import type { Outgoing } from '../event/outgoing.ts'

/** Hears of each call once, before whoever made it does. */
export interface Outcomes {
  taken(events: readonly Outgoing[]): void
  failed(events: readonly Outgoing[], error: unknown): void
}

/** One event of a call. */
export interface Item {
  readonly event: Outgoing
  readonly call: Call
  /** As far as is known: rejected until the transport is given it, unknown until that has answered. */
  outcome: PublishOutcome
}

/** One call of publish, waiting for its outcome. */
export class Call implements BagItem {
  readonly events: readonly Outgoing[]
  readonly items: readonly Item[]
  left: number
  /** Its place among those that are under way. */
  slot = -1
  ended = false
  /** Why its first event that failed was not taken, and the keys of all: what follows with one of them must not overtake. */
  failure: { readonly error: unknown; readonly keys: Set<string> } | undefined = undefined
  /** Listens no more to the signal. */
  #deafen: (() => void) | undefined = undefined
  readonly #outcomes: Outcomes
  readonly #resolve: () => void
  readonly #reject: (error: unknown) => void

  constructor(
    events: readonly Outgoing[],
    outcomes: Outcomes,
    resolve: () => void,
    reject: (error: unknown) => void,
  ) {
    this.events = events
    this.items = events.map((event) => ({ event, call: this, outcome: 'rejected' }))
    this.left = events.length
    this.#outcomes = outcomes
    this.#resolve = resolve
    this.#reject = reject
  }

  get results(): readonly PublishOutcome[] {
    return this.items.map(({ outcome }) => outcome)
  }

  /** Calls `abort` if the signal is aborted before this has ended. */
  listen(signal: AbortSignal, abort: (reason: unknown) => void): void {
    const onAbort = (): void => {
      // The listener is gone by itself; to look for it among those of all who share the signal would take long.
      this.#deafen = undefined
      abort(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
    this.#deafen = () => signal.removeEventListener('abort', onAbort)
  }

  /** Nothing if it has ended before. */
  end(error?: PublishError): void {
    if (this.ended) return
    this.ended = true
    this.#deafen?.()
    if (error === undefined) {
      this.#outcomes.taken(this.events)
      this.#resolve()
    } else {
      this.#outcomes.failed(this.events, error)
      this.#reject(error)
    }
  }
}

/** Errors that pass: the same publish may succeed later. */
const passing: ReadonlySet<string> = new Set([
  'TRANSPORT_UNREACHABLE',
  'CONNECTION_LOST',
  'STORE_BUSY',
  'STORE_FULL',
])

export function settle(item: Item, outcome: PublishOutcome, error?: unknown): void {
  const { call, event } = item
  item.outcome = outcome
  if (outcome !== 'taken') {
    call.failure ??= { error, keys: new Set() }
    if (event.key !== undefined) call.failure.keys.add(event.key)
  }
  if (--call.left > 0) return
  call.end(call.failure && failed(call.results, call.failure.error))
}

function failed(results: readonly PublishOutcome[], first: unknown): PublishError {
  const taken = results.filter((result) => result === 'taken').length
  return new PublishError(
    results.length === 1
      ? messageOf(first)
      : `${results.length - taken} of ${results.length} events were not taken: ${messageOf(first)}`,
    {
      results,
      retryable:
        first instanceof PublishError ? first.retryable : !isMillraceError(first) || passing.has(first.code),
      code: isMillraceError(first) ? first.code : 'PUBLISH_FAILED',
      cause: first instanceof PublishError ? first.cause : first,
    },
  )
}

/** What keeps the event from being sent, if anything does. */
export function oversize(event: Outgoing, maxBytes: number): MillraceError | undefined {
  if (event.size <= maxBytes) return undefined
  const text = `The event ${event.id} of type '${event.type}' takes ${event.size} bytes; the transport takes ${maxBytes}`
  return new MillraceError('EVENT_TOO_LARGE', text)
}

export function givenUp(
  code: 'PUBLISH_ABORTED' | 'STOPPED',
  results: readonly PublishOutcome[],
  cause: unknown,
): PublishError {
  const text = code === 'STOPPED' ? 'The app stopped before everything was sent' : 'The publish was aborted'
  return new PublishError(text, { results, retryable: code !== 'STOPPED', code, cause })
}
