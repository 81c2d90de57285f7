import type { Clock } from '../clock/clock.ts'
import { addFailure, deadLetterRecord } from '../contract/dead-letter.ts'
import { PublishError, type PublishOutcome } from '../contract/publish-error.ts'
import type { Received, Settlement, Transport } from '../contract/transport.ts'
import type { ErrorCode } from '../errors/codes.ts'
import { isMillraceError, messageOf } from '../errors/millrace-error.ts'
import type { Outgoing } from '../event/outgoing.ts'
import { disclosed } from './outbox-queue.ts'

/** What became of a batch: what to settle, and what is to be sent again as nothing can be sent now. */
export interface Forwarded {
  readonly settle: readonly Settlement[]
  readonly left: readonly Received[]
  /** Why. */
  readonly cause?: unknown
}

export interface ForwarderParts {
  readonly clock: Clock
  readonly transport: () => Promise<Transport>
  /** It waits in the outbox and is sent again after so long. */
  again(received: Received, delay: number, error: Error): void
  /** It will be a dead letter once that is settled. */
  dead(received: Received, error: Error): void
}

const firstWait = 1_000
const longestWait = 60_000

/**
 * passing: whatever is sent just now is not taken, or nobody knows; final: this event never will be; doubtful: so it says, but of
 * an error that may be anything, and nobody wants all of an outbox among its dead letters for a broker that is set up wrong.
 */
type Refusal = 'passing' | 'final' | 'doubtful'

/** How often an event is tried whose refusal is doubtful: for more than an hour and a half. */
const mostDoubts = 100

/** Refusals that say nothing of the event, whatever the system thinks of trying again. */
const ofSystem: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'TRANSPORT_UNREACHABLE',
  'CONNECTION_LOST',
  'LOGIN_REFUSED',
  'STORE_BUSY',
  'STORE_FULL',
  'STORE_READ_ONLY',
  'STORE_CORRUPT',
  'STORE_INCOMPATIBLE',
  'STORE_FAILED',
  'MIGRATION_NEEDED',
  'MISSING_PEER',
  'PUBLISH_FAILED',
  'PUBLISH_ABORTED',
  'STOPPED',
])

interface Sent {
  readonly results: readonly PublishOutcome[]
  readonly refusal: Refusal
  readonly error?: unknown
}

/** Sends events on to the transport, in their order: nothing of a key goes before one of the same key that waits. */
export class Forwarder {
  readonly #parts: ForwarderParts

  constructor(parts: ForwarderParts) {
    this.#parts = parts
  }

  async forward(batch: readonly Received[], signal: AbortSignal): Promise<Forwarded> {
    const settle: Settlement[] = []
    const sendable = batch.filter((received) => {
      const broken = brokenHead(received)
      if (broken !== undefined) settle.push(this.#bury(received, broken))
      return broken === undefined
    })
    if (sendable.length === 0) return { settle, left: [] }
    const sent = await this.#send(sendable, signal)
    const left = sendable.filter((of, i) => {
      if (sent.results[i] === 'taken') settle.push({ of, as: 'ack' })
      return sent.results[i] !== 'taken'
    })
    if (left.length === 0) return { settle, left }
    // A system may refuse many events for one, or those behind one of their key: which it is shows one by one.
    if (sent.refusal !== 'passing' && sendable.length > 1) {
      const rest = await this.#oneByOne(left, signal)
      return { ...rest, settle: [...settle, ...rest.settle] }
    }
    // What has failed before while others were taken is no sign of an outage.
    const isNew = left.length === sendable.length && left.some(({ attempt }) => attempt === 1)
    if (sent.refusal === 'passing' && isNew) return { settle, left, cause: sent.error }
    return { settle: [...settle, ...this.#failed(left, sent)], left: [] }
  }

  async #oneByOne(list: readonly Received[], signal: AbortSignal): Promise<Forwarded> {
    const settle: Settlement[] = []
    const waiting = new Set<string>()
    for (const [i, received] of list.entries()) {
      if (received.key !== undefined && waiting.has(received.key)) {
        settle.push({ of: received, as: 'release' })
        continue
      }
      const one = await this.forward([received], signal)
      settle.push(...one.settle)
      if (one.left.length > 0) {
        const behind = list.slice(i)
        return { settle, left: behind, cause: one.cause }
      }
      if (received.key !== undefined && one.settle[0]?.as === 'retry') waiting.add(received.key)
    }
    return { settle, left: [] }
  }

  async #send(list: readonly Received[], signal: AbortSignal): Promise<Sent> {
    let transport: Transport
    try {
      transport = await this.#parts.transport()
    } catch (error) {
      return { results: list.map(() => 'rejected'), refusal: 'passing', error }
    }
    try {
      const now = this.#parts.clock.now()
      const events = list.map((received) => disclosed(received, now))
      checkSizes(events, transport.features.maxBytes)
      await transport.publish(events, { signal })
      return { results: list.map(() => 'taken'), refusal: 'passing' }
    } catch (error) {
      const said = error instanceof PublishError ? error.results : []
      return { results: list.map((_, i) => said[i] ?? 'unknown'), refusal: refusalOf(error), error }
    }
  }

  /** The first of each key that waits holds back the others; those keep their places behind it. */
  #failed(list: readonly Received[], { results, refusal, error: thrown }: Sent): readonly Settlement[] {
    const error = thrown instanceof Error ? thrown : new Error(messageOf(thrown))
    const most = refusal === 'final' ? 0 : refusal === 'doubtful' ? mostDoubts : Infinity
    const waiting = new Set<string>()
    return list.map((of, i): Settlement => {
      const { key, attempt } = of
      if (key !== undefined && waiting.has(key)) return { of, as: 'release' }
      if (results[i] === 'rejected' && attempt >= most) return this.#bury(of, error)
      if (key !== undefined) waiting.add(key)
      const delay = Math.min(firstWait * 2 ** (attempt - 1), longestWait) * (0.5 + Math.random() / 2)
      this.#parts.again(of, delay, error)
      const trail = addFailure(of.trail, this.#parts.clock.now(), messageOf(error))
      return { of, as: 'retry', delay, trail, ...(key !== undefined && { park: true }) }
    })
  }

  #bury(of: Received, error: Error): Settlement {
    const now = this.#parts.clock.now()
    const trail = addFailure(of.trail, now, messageOf(error))
    this.#parts.dead(of, error)
    return { of, as: 'dead', record: deadLetterRecord(error, of.attempt, now, trail) }
  }
}

function refusalOf(error: unknown): Refusal {
  if (!isMillraceError(error) || ofSystem.has(error.code)) return 'passing'
  if (error instanceof PublishError && error.retryable) return 'passing'
  return error.code === 'KAFKA_FAILED' ? 'doubtful' : 'final'
}

/** What it throws to whoever looks at the attributes, which need not be those of an event. */
function brokenHead(received: Received): Error | undefined {
  try {
    void received.head
    return undefined
  } catch (error) {
    return error as Error
  }
}

/** As publishers do, for not every driver looks itself. @throws PublishError EVENT_TOO_LARGE */
export function checkSizes(events: readonly Outgoing[], maxBytes: number): void {
  const large = events.find(({ size }) => size > maxBytes)
  if (large === undefined) return
  const message = `The event ${large.id} of type '${large.type}' takes ${large.size} bytes; the transport takes ${maxBytes}`
  const results = events.map(() => 'rejected' as const)
  throw new PublishError(message, { results, retryable: false, code: 'EVENT_TOO_LARGE' })
}
