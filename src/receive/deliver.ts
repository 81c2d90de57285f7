import { systemClock, type Timer } from '../clock/clock.ts'
import { milliseconds, type Duration } from '../clock/duration.ts'
import type { Delivery } from '../contract/delivery.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import type { EventRecord } from '../event/event.ts'
import { encodeEvent, travelled } from '../event/outgoing.ts'
import type { NextMisuse } from './chain.ts'
import type { Handled } from './context.ts'
import { timeoutError } from './deadlines.ts'
import { fatal, verdictOn } from './outcome.ts'
import type { QueueRuntime } from './queue-runtime.ts'
import type { Reporter } from '../report/reporter.ts'

/** Runs a delivery that came from outside (an ingress, a test, a queue of one's own) through its queue, and settles it. */
export async function deliverTo(
  runtime: QueueRuntime,
  delivery: Delivery,
  reporter: Reporter,
): Promise<void> {
  if (runtime.settings.transactional) {
    const why = 'it is acknowledged elsewhere, so that cannot commit with what its handler writes'
    const message = `The queue '${delivery.queue}' is transactional and takes no delivery from outside: ${why}`
    throw new MillraceError('TRANSACTION_UNSUPPORTED', message)
  }
  const about = { queue: delivery.queue, type: delivery.event.type, id: delivery.event.id }
  const { maxHandling, lease } = runtime.settings
  const handled = new Brought(delivery, { maxHandling, lease }, (code, message) =>
    reporter.notice({ ...about, code, message }),
  )
  let thrown: unknown
  let failed = false
  try {
    await Promise.race([runtime.handle(handled, runtime.find(delivery.event.type)), handled.givenUp])
  } catch (error) {
    thrown = error
    failed = true
  }
  handled.end()
  if (handled.timedOut !== undefined) thrown = handled.timedOut
  else if (!failed) return delivery.ack()
  const verdict = verdictOn(thrown, delivery.attempt, runtime.settings.retry)
  if (verdict.as === 'dead') {
    reporter.dead(about, delivery.attempt, verdict.error)
    return delivery.deadLetter(verdict.error)
  }
  // A delivery cannot be given back without an attempt: `defer` is a retry here, but no failure to talk about.
  if (verdict.as === 'retry') reporter.failed(about, delivery.attempt, verdict.delay, verdict.error)
  return delivery.retry({ delay: verdict.delay, error: verdict.error })
}

interface Limits {
  readonly maxHandling: number
  /** How long a handler may go on after that. */
  readonly lease: number
}

class Brought implements Handled {
  readonly queue: string
  readonly attempt: number
  readonly lapsed = false
  readonly notice: (code: NextMisuse | 'HANDLER_STUCK', message: string) => void
  /** Resolves if the handler goes on for too long after its signal was aborted: nobody waits for it any more. */
  readonly givenUp: Promise<void>
  /** Why its signal was aborted. */
  timedOut: Error | undefined
  readonly #delivery: Delivery
  readonly #limits: Limits
  readonly #giveUp: () => void
  readonly #abort = new AbortController()
  #event: EventRecord | undefined
  /** Monotonic time until which the handler may run. */
  #until = 0
  #timer: Timer | undefined
  #over = false
  #leave: (() => void) | undefined

  constructor(delivery: Delivery, limits: Limits, notice: Brought['notice']) {
    this.queue = delivery.queue
    this.attempt = delivery.attempt
    this.notice = notice
    this.#delivery = delivery
    this.#limits = limits
    ;({ promise: this.givenUp, resolve: this.#giveUp } = Promise.withResolvers<void>())
    this.#watch(this.#latest())
  }

  /** As if it had travelled: what handlers do to it does not reach whoever brought it. @throws fatal if it cannot travel */
  get event(): EventRecord {
    try {
      return (this.#event ??= travelled(encodeEvent(this.#delivery.event)))
    } catch (error) {
      throw fatal(error)
    }
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  async extend(by: Duration): Promise<void> {
    const until = systemClock.monotonic() + milliseconds(by, 'by')
    await this.#delivery.extend(by)
    if (this.timedOut === undefined && !this.#over) this.#watch(Math.max(this.#until, until))
  }

  gather(): void {
    this.#timer?.cancel()
  }

  begin(leave: () => void): void {
    this.#leave = leave
    this.#watch(this.#latest())
  }

  /** What somebody brought says nothing of how a queue fares. */
  failAlong(): void {}

  end(): void {
    this.#over = true
    this.#timer?.cancel()
    this.#leave?.()
  }

  #latest(): number {
    return systemClock.monotonic() + this.#limits.maxHandling
  }

  #watch(until: number): void {
    this.#until = until
    this.#timer?.cancel()
    this.#timer = systemClock.after(until - systemClock.monotonic(), () => this.#expired())
  }

  #expired(): void {
    const { maxHandling, lease } = this.#limits
    this.timedOut = timeoutError(maxHandling)
    this.#timer = systemClock.after(lease, () => {
      this.notice('HANDLER_STUCK', 'its handler goes on though its signal was aborted, after maxHandling')
      this.#giveUp()
    })
    this.#abort.abort(this.timedOut)
  }
}
