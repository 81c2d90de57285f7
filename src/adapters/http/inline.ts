import { milliseconds, type Duration } from '../../clock/duration.ts'
import type { Delivery } from '../../contract/delivery.ts'
import type { IngressTarget } from '../../contract/ingress.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import { EventRecord, type MillraceEvent } from '../../event/event.ts'
import { encodeEvent, type Outgoing } from '../../event/outgoing.ts'
import { Payload } from '../../event/payload.ts'
import { answer, taken, unavailable } from './answer.ts'

/**
 * Runs the handlers of every queue that takes the events, and answers with what they made of them. Events one after the
 * other, the queues of one event side by side; the first event that fails ends it, since the sender repeats all of them.
 */
export async function handleInline(
  target: IngressTarget,
  events: readonly MillraceEvent[],
): Promise<Response> {
  const runs = events.map((event) => ({ outgoing: encodeEvent(event), queues: target.queuesFor(event.type) }))
  const unhandled = runs.find(({ queues }) => queues.length === 0)
  if (unhandled !== undefined) {
    return unavailable('NO_HANDLER', `No queue handles '${unhandled.outgoing.type}' now`)
  }
  for (const { outgoing, queues } of runs) {
    const deliveries = queues.map((queue) => new InlineDelivery(received(outgoing), queue))
    const results = await Promise.allSettled(deliveries.map((delivery) => target.deliver(delivery)))
    const broken = results.find((result) => result.status === 'rejected')
    if (broken !== undefined) throw broken.reason
    const failed = deliveries.filter(({ outcome }) => outcome?.as !== 'ack')
    if (failed.length > 0) return failure(failed)
  }
  const ids = events.map(({ id }) => id)
  return taken(200, 'HANDLED', `${ids.length} handled`, ids)
}

function failure(failed: readonly InlineDelivery[]): Response {
  const message = 'The event could not be handled'
  const delay = Math.max(...failed.map(({ outcome }) => (outcome?.as === 'retry' ? outcome.delay : 0)))
  if (delay === 0) return answer(500, 'HANDLER_FAILED', message)
  return unavailable('HANDLER_FAILED', message, Math.ceil(delay / 1_000))
}

/** The event as it would come out of a transport, anew for each queue: what one handler or schema changes, no other sees. */
function received({ id, type, key, head, data }: Outgoing): MillraceEvent {
  return new EventRecord(id, type, key, head, Payload.from(data, head.contentType))
}

type Outcome = { readonly as: 'ack' | 'dead' } | { readonly as: 'retry'; readonly delay: number }

/**
 * A delivery that nothing stands behind but the waiting sender: whatever is not an ack becomes an answer that asks it to
 * send the event again, and a dead letter is kept nowhere. The receiver has reported the error; the sender never sees it.
 */
class InlineDelivery implements Delivery {
  readonly event: MillraceEvent
  readonly queue: string
  readonly attempt = 1
  #outcome: Outcome | undefined

  constructor(event: MillraceEvent, queue: string) {
    this.event = event
    this.queue = queue
  }

  get outcome(): Outcome | undefined {
    return this.#outcome
  }

  async ack(): Promise<void> {
    this.#settle({ as: 'ack' })
  }

  async retry(options: { delay?: Duration; error?: unknown } = {}): Promise<void> {
    this.#settle({ as: 'retry', delay: milliseconds(options.delay ?? 0, 'delay') })
  }

  async deadLetter(): Promise<void> {
    this.#settle({ as: 'dead' })
  }

  /** There is no lease: the event is ours for as long as the sender waits. */
  async extend(): Promise<void> {}

  async settle(result: Promise<unknown>): Promise<void> {
    await result.then(
      () => this.ack(),
      (error: unknown) => this.retry({ error }),
    )
  }

  #settle(outcome: Outcome): void {
    if (this.#outcome !== undefined) {
      throw new MillraceError('ALREADY_SETTLED', `The delivery of ${this.event.id} was settled before`)
    }
    this.#outcome = outcome
  }
}
