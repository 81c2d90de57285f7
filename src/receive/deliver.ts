import { systemClock } from '../clock/clock.ts'
import type { Duration } from '../clock/duration.ts'
import type { Delivery } from '../contract/delivery.ts'
import type { MillraceEvent } from '../event/event.ts'
import type { Handled } from './context.ts'
import { verdictOn } from './outcome.ts'
import type { QueueRuntime } from './queue-runtime.ts'
import type { Reporter } from './reporter.ts'

/** Runs a delivery that came from outside (an ingress, a test, a queue of one's own) through its queue, and settles it. */
export async function deliverTo(
  runtime: QueueRuntime,
  delivery: Delivery,
  reporter: Reporter,
): Promise<void> {
  const handled = new Brought(delivery, reporter)
  const about = { queue: delivery.queue, type: delivery.event.type, id: delivery.event.id }
  const timer = systemClock.after(runtime.settings.maxHandling, () => handled.expire())
  let thrown: unknown
  let failed = false
  try {
    await runtime.handle(handled, runtime.find(delivery.event.type))
  } catch (error) {
    thrown = error
    failed = true
  } finally {
    timer.cancel()
  }
  if (!failed) return delivery.ack()
  const verdict = verdictOn(thrown, delivery.attempt, runtime.settings.retry)
  if (verdict.as === 'dead') {
    reporter.dead(about, delivery.attempt, verdict.error)
    return delivery.deadLetter(verdict.error)
  }
  reporter.failed(about, delivery.attempt, verdict.delay, verdict.error)
  return delivery.retry({ delay: verdict.delay, error: verdict.error })
}

class Brought implements Handled {
  readonly event: MillraceEvent
  readonly queue: string
  readonly attempt: number
  readonly lapsed = false
  readonly #delivery: Delivery
  readonly #reporter: Reporter
  readonly #abort = new AbortController()

  constructor(delivery: Delivery, reporter: Reporter) {
    this.event = delivery.event
    this.queue = delivery.queue
    this.attempt = delivery.attempt
    this.#delivery = delivery
    this.#reporter = reporter
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  extend(by: Duration): Promise<void> {
    return this.#delivery.extend(by)
  }

  notice(code: 'NEXT_NOT_AWAITED', message: string): void {
    this.#reporter.middleware({ queue: this.queue, type: this.event.type, id: this.event.id }, code, message)
  }

  expire(): void {
    this.#abort.abort(new DOMException('The handler ran longer than maxHandling', 'TimeoutError'))
  }
}
