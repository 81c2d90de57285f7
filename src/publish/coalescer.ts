import { PublishError, type PublishOutcome } from '../contract/publish-error.ts'
import type { Transport } from '../contract/transport.ts'
import { isMillraceError, MillraceError, messageOf } from '../errors/millrace-error.ts'
import type { Outgoing } from '../event/outgoing.ts'

/** Events in one call of a transport: enough that its fixed cost is small, few enough that a store's commit stays short. */
const batchLength = 512
const batchBytes = 4 * 1024 * 1024

/** One call of publish, waiting for its outcome. */
interface Call {
  readonly results: (PublishOutcome | undefined)[]
  left: number
  /** How many of its events, from the first on, the transport was given. */
  sent: number
  /** Whether nobody waits for it any more. */
  abandoned: boolean
  error: unknown
  /** Keys of events that were not taken: what follows with the same key must not overtake them. */
  failedKeys: Set<string> | undefined
  resolve(): void
  reject(error: unknown): void
}

/** Errors that pass: the same publish may succeed later. */
const passing: ReadonlySet<string> = new Set([
  'TRANSPORT_UNREACHABLE',
  'CONNECTION_LOST',
  'STORE_BUSY',
  'STORE_FULL',
])

interface Item {
  readonly event: Outgoing
  readonly call: Call
  readonly index: number
}

/**
 * Joins the publishes of one turn of the event loop into one call of the transport, which then pays for one commit or one
 * round trip. One call is under way at a time, so that events leave in the order of their publishes.
 */
export class Coalescer {
  readonly #transport: () => Promise<Transport>
  #items: Item[] = []
  /** What the transport has been given and has not answered. */
  #sending: readonly Item[] = []
  /** How many of the items belong to abandoned calls. */
  #dropped = 0
  #scheduled = false

  constructor(transport: () => Promise<Transport>) {
    this.#transport = transport
  }

  /** Resolves when all were taken; rejects with PublishError. An abort gives up what was not yet handed over. */
  publish(events: readonly Outgoing[], signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted === true)
      return Promise.reject(
        ended(
          'PUBLISH_ABORTED',
          events.map(() => 'rejected'),
          signal.reason,
        ),
      )
    if (events.length === 0) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const call: Call = {
        results: Array.from({ length: events.length }),
        left: events.length,
        sent: 0,
        abandoned: false,
        error: undefined,
        failedKeys: undefined,
        resolve,
        reject,
      }
      events.forEach((event, index) => this.#items.push({ event, call, index }))
      if (signal !== undefined) this.#abortable(call, signal)
      if (this.#scheduled) return
      this.#scheduled = true
      setImmediate(() => void this.#run())
    })
  }

  /** Waits no longer: what is not taken yet is rejected as stopped. */
  giveUp(): void {
    const calls = new Set([...this.#items, ...this.#sending].map(({ call }) => call))
    for (const call of calls) this.#abandon(call, 'STOPPED')
  }

  #abortable(call: Call, signal: AbortSignal): void {
    const { resolve, reject } = call
    const abort = (): void => {
      // The listener is gone by itself; to look for it among those of all who share the signal would take long.
      Object.assign(call, { resolve, reject })
      this.#abandon(call, 'PUBLISH_ABORTED', signal.reason)
    }
    signal.addEventListener('abort', abort, { once: true })
    call.resolve = () => (signal.removeEventListener('abort', abort), resolve())
    call.reject = (error) => (signal.removeEventListener('abort', abort), reject(error))
  }

  #abandon(call: Call, code: 'PUBLISH_ABORTED' | 'STOPPED', reason?: unknown): void {
    if (call.abandoned) return
    call.abandoned = true
    this.#dropped += call.results.length - call.sent
    // Not for each call: many may share a signal.
    if (this.#dropped * 2 > this.#items.length) this.#sweep()
    const outcome = (i: number): PublishOutcome => (i < call.sent ? 'unknown' : 'rejected')
    call.reject(
      ended(
        code,
        Array.from(call.results, (result, i) => result ?? outcome(i)),
        reason,
      ),
    )
  }

  #sweep(): void {
    this.#items = this.#items.filter(({ call }) => !call.abandoned)
    this.#dropped = 0
  }

  async #run(): Promise<void> {
    while (this.#items.length > 0) {
      this.#sending = this.#take()
      await this.#send(this.#sending)
      this.#sending = []
      // Callers that were just answered publish again in this turn: let them join the next batch.
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.#scheduled = false
  }

  #take(): Item[] {
    if (this.#dropped > 0) this.#sweep()
    let bytes = 0
    let n = 0
    while (n < this.#items.length && n < batchLength) {
      bytes += (this.#items[n] as Item).event.size
      if (bytes > batchBytes && n > 0) break
      n++
    }
    const taken = this.#items.splice(0, n)
    for (const { call } of taken) call.sent++
    return taken
  }

  async #send(batch: readonly Item[]): Promise<void> {
    let transport: Transport
    try {
      transport = await this.#transport()
    } catch (error) {
      for (const item of batch) settle(item, 'rejected', error)
      return
    }
    const sendable = batch.filter((item) => fits(item, transport.features.maxBytes))
    if (sendable.length === 0) return
    try {
      await transport.publish(sendable.map((item) => item.event))
      for (const item of sendable) settle(item, 'taken')
    } catch (error) {
      await this.#failed(transport, sendable, error)
    }
  }

  /** A store may refuse a whole batch for one event: the others, of other callers, must not suffer for it. */
  async #failed(transport: Transport, batch: readonly Item[], error: unknown): Promise<void> {
    const results = error instanceof PublishError ? error.results : undefined
    const calls = new Set(batch.map((item) => item.call))
    const hopeless = error instanceof PublishError && !error.retryable
    if (!hopeless || calls.size === 1) {
      batch.forEach((item, i) => settle(item, results?.[i] ?? 'unknown', error))
      return
    }
    for (const call of calls) {
      const own = batch.filter((item, i) => item.call === call && results?.[i] !== 'taken')
      batch.forEach((item, i) => item.call === call && results?.[i] === 'taken' && settle(item, 'taken'))
      if (own.length === 0) continue
      try {
        await transport.publish(own.map((item) => item.event))
        for (const item of own) settle(item, 'taken')
      } catch (again) {
        const outcomes = again instanceof PublishError ? again.results : undefined
        own.forEach((item, i) => settle(item, outcomes?.[i] ?? 'unknown', again))
      }
    }
  }
}

function fits(item: Item, maxBytes: number): boolean {
  const { event, call } = item
  if (event.key !== undefined && call.failedKeys?.has(event.key) === true) {
    settle(item, 'rejected')
    return false
  }
  if (event.size <= maxBytes) return true
  const text = `The event ${event.id} of type '${event.type}' takes ${event.size} bytes; the transport takes ${maxBytes}`
  settle(item, 'rejected', new MillraceError('EVENT_TOO_LARGE', text))
  return false
}

function settle(item: Item, outcome: PublishOutcome, error?: unknown): void {
  const { call, event, index } = item
  call.results[index] = outcome
  if (outcome !== 'taken') {
    call.error ??= error
    if (event.key !== undefined) (call.failedKeys ??= new Set()).add(event.key)
  }
  if (--call.left > 0) return
  if (call.results.every((result) => result === 'taken')) call.resolve()
  else call.reject(failure(call))
}

function failure(call: Call): PublishError {
  const results = call.results as PublishOutcome[]
  const taken = results.filter((result) => result === 'taken').length
  const first = call.error
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

function ended(
  code: 'PUBLISH_ABORTED' | 'STOPPED',
  results: readonly PublishOutcome[],
  cause: unknown,
): PublishError {
  const text = code === 'STOPPED' ? 'The app stopped before everything was sent' : 'The publish was aborted'
  return new PublishError(text, { results, retryable: code !== 'STOPPED', code, cause })
}
