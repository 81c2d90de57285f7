import { PublishError, type PublishOutcome } from '../../../contract/publish-error.ts'
import type { TransportPublishOptions } from '../../../contract/transport.ts'
import { MillraceError, messageOf } from '../../../errors/millrace-error.ts'
import type { Outgoing } from '../../../event/outgoing.ts'
import { headersOf } from '../records/headers.ts'
import type { NewRecord, Producing } from './producing.ts'
import type { Registry } from '../queues/registry.ts'
import { reserved } from '../queues/reserved.ts'
import type { Topics } from '../queues/topics.ts'

export interface PublishParts {
  readonly topics: Topics
  readonly registry: Registry
  readonly producing: Producing
  readonly maxBytes: number
}

/** @throws PublishError */
export async function publish(
  events: readonly Outgoing[],
  { transaction, signal }: TransportPublishOptions,
  parts: PublishParts,
): Promise<void> {
  if (signal?.aborted === true) throw aborted(events, 'rejected', signal)
  if (transaction !== undefined) {
    const error = new MillraceError(
      'TRANSACTION_UNSUPPORTED',
      'The Kafka transport cannot join a transaction',
    )
    throw refused(events, error)
  }
  const sending = send(events, parts)
  if (signal === undefined) return sending
  let stop: (() => void) | undefined
  const given = new Promise<never>((_, reject) => {
    stop = () => reject(aborted(events, 'unknown', signal))
    signal.addEventListener('abort', stop, { once: true })
  })
  try {
    await Promise.race([sending, given])
  } finally {
    signal.removeEventListener('abort', stop as () => void)
  }
}

/** What is said when nothing was sent. */
export function refused(events: readonly Outgoing[], error: unknown): PublishError {
  const coded = error instanceof MillraceError ? error : undefined
  return new PublishError(`None of ${events.length} events was taken: ${messageOf(error)}`, {
    results: events.map(() => 'rejected'),
    retryable: coded?.code === 'TRANSPORT_UNREACHABLE' || coded?.code === 'CONNECTION_LOST',
    code: coded?.code ?? 'PUBLISH_FAILED',
    cause: error,
  })
}

async function send(
  events: readonly Outgoing[],
  { topics, registry, producing, maxBytes }: PublishParts,
): Promise<void> {
  const prepared = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (cause) {
      throw refused(events, cause)
    }
  }
  const taken = await prepared(registry.reservedAmong([...new Set(events.map(({ topic }) => topic))]))
  const results: PublishOutcome[] = events.map(() => 'taken')
  let error: MillraceError | undefined
  const failedKeys = new Set<string>()
  const sent: number[] = []
  const records: NewRecord[] = []
  events.forEach((event, i) => {
    const { topic, key, data, size } = event
    if (size > maxBytes || taken.includes(topic) || (key !== undefined && failedKeys.has(key))) {
      results[i] = 'rejected'
      error ??= taken.includes(topic)
        ? reserved(topic)
        : new MillraceError('EVENT_TOO_LARGE', `Some events are larger than ${maxBytes} bytes`)
      if (key !== undefined) failedKeys.add(key)
      return
    }
    sent.push(i)
    records.push({ topic, key, value: data, headers: headersOf(event) })
  })
  await prepared(topics.ensure([...new Set(records.map(({ topic }) => topic))]))
  const answers = await producing.send(records)
  answers?.forEach((answer, i) => {
    if (answer === 'taken') return
    results[sent[i] as number] = answer.unknown ? 'unknown' : 'rejected'
    error ??= answer.error
  })
  if (error === undefined) return
  throw new PublishError(error.message, {
    results,
    retryable: error.code === 'CONNECTION_LOST',
    code: error.code,
    cause: error,
  })
}

function aborted(events: readonly Outgoing[], outcome: PublishOutcome, signal: AbortSignal): PublishError {
  return new PublishError(`The publish of ${events.length} events was aborted`, {
    results: events.map(() => outcome),
    retryable: true,
    code: 'PUBLISH_ABORTED',
    cause: signal.reason,
  })
}
