import { MemoryTransport } from '../adapters/memory/memory-transport.ts'
import { swapParts, type AppParts, type Swappable } from '../app-tools.ts'
import type { App } from '../app.ts'
import { milliseconds, type Duration } from '../clock/duration.ts'
import { manualClock, type ManualClock } from '../clock/manual-clock.ts'
import type { Transport } from '../contract/transport.ts'
import { letterOf, type DeadLetter } from '../dead-letters.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import type { EventMap } from '../event/catalog.ts'
import type { MillraceEvent } from '../event/event.ts'
import { travelled, type Outgoing } from '../event/outgoing.ts'
import type { Matched, Publish } from '../receive/typed.ts'
import { UrlTransport } from '../url.ts'
import { Rest } from './rest.ts'
import { Runs } from './runs.ts'
import { TestTransactions } from './test-transactions.ts'

/**
 * An app under test: on a memory transport of its own, with a clock that stands still until the test moves it.
 * Disposing of it stops the app. @throws MillraceError DEAD_LETTER_UNREAD if there is a dead letter that nobody looked at
 */
export interface TestApp<M extends EventMap = EventMap, Tx = unknown> extends AsyncDisposable {
  readonly publish: Publish<M, Tx>
  /**
   * Resolves when no event is ready, held or being published. Those that wait for the clock (delays, retries, a batch that
   * fills) do not count. @throws MillraceError TEST_NOT_IDLE
   */
  idle(): Promise<void>
  /** Moves the clock to the next due time, again and again, until nothing waits for it. @throws MillraceError TEST_NOT_IDLE, TEST_NOT_DRAINED */
  drain(): Promise<void>
  /** Moves the clock on. What comes due on the way is handled at its time. @throws MillraceError TEST_NOT_IDLE, TEST_NOT_DRAINED */
  advance(by: Duration): Promise<void>
  /** Events of the type that were published through the app, by its handlers too, in order, with the data that travelled. */
  published<K extends keyof M & string>(type: K): readonly MillraceEvent<K, M[K]['in']>[]
  /** Events that the queue has handled successfully, in order. @throws MillraceError UNKNOWN_QUEUE */
  handled(queue: string): readonly Matched<M, '*'>[]
  /** The dead letters that the queue has now; they count as looked at. @throws MillraceError UNKNOWN_QUEUE */
  dead(queue: string): readonly DeadLetter[]
}

/** Below the five seconds after which most test runners end a test without saying why. */
const defaultTimeout: Duration = '4s'
/** More than any test needs; soon reached by an event that is deferred for ever. */
const mostSteps = 10_000

/**
 * Puts an app on memory and a manual clock, and starts it. To be called before the app opens, so before its first publish.
 * `timeout`: how long, in real time, to wait for handlers that are under way while nothing happens; default 4 s.
 * `transaction`: what handlers of transactional queues get as `ctx.transaction`; default an object without anything.
 * @example
 * await using t = await testing(app)
 * await t.publish('order.placed', { orderId: '7', total: 10 })
 * await t.idle()
 * expect(t.published('order.paid')).toHaveLength(1)
 * @throws MillraceError TOO_LATE if the app is open already, and whatever its start throws
 */
export async function testing<M extends EventMap, Tx, C>(
  app: App<M, Tx, C>,
  options: { timeout?: Duration; transaction?: object } = {},
): Promise<TestApp<M, Tx>> {
  const timeout = milliseconds(options.timeout ?? defaultTimeout, 'timeout')
  const clock = manualClock()
  const transport = new MemoryTransport({ clock })
  const swappable = app as unknown as Swappable
  const { outbox } = swappable[swapParts]({ clock })
  const real = outbox ?? (await known(app.transport, transport))
  const published: MillraceEvent[] = []
  const record = (events: readonly Outgoing[]): void => void published.push(...events.map(travelled))
  const transactions = new TestTransactions(real.features, transport, options.transaction ?? {}, record)
  const parts = swappable[swapParts]({
    transport,
    ...(real.features.transactions !== false && { transactions }),
  })
  parts.publisher.watch((events) => transactions.awaits(events) || record(events))
  const tested = new AppUnderTest(app as unknown as App, parts, { transport, clock, timeout, published })
  await app.start()
  return tested as unknown as TestApp<M, Tx>
}

/** A URL tells nothing of its transport until that is loaded; `memory:` is as the one that stands in. */
async function known(transport: Transport, memory: Transport): Promise<Transport> {
  if (!(transport instanceof UrlTransport)) return transport
  return transport.system === memory.system ? memory : await transport.load()
}

interface Surroundings {
  readonly transport: MemoryTransport
  readonly clock: ManualClock
  readonly timeout: number
  /** Grows with what is published. */
  readonly published: readonly MillraceEvent[]
}

class AppUnderTest implements AsyncDisposable {
  readonly publish: Publish
  readonly #app: App
  readonly #parts: AppParts
  readonly #around: Surroundings
  readonly #runs = new Runs()
  readonly #rest: Rest
  /** Dead letters that were not looked at, by queue. */
  readonly #unread = new Map<string, DeadLetter[]>()
  /** For handlers to end in, when the app is stopped. None once a wait for them was in vain. */
  #patience: number

  constructor(app: App, parts: AppParts, around: Surroundings) {
    this.publish = app.publish
    this.#app = app
    this.#parts = parts
    this.#around = around
    this.#patience = around.timeout
    this.#rest = new Rest(parts, around.transport, this.#runs, around.timeout)
    parts.receiver.surround(this.#runs.watch)
    app.onDeadLetter((letter) => {
      this.#unread.set(letter.queue, [...(this.#unread.get(letter.queue) ?? []), letter])
    })
  }

  async idle(): Promise<void> {
    try {
      await this.#rest.reached()
    } catch (error) {
      this.#patience = 0
      throw error
    }
  }

  drain(): Promise<void> {
    return this.#until(Infinity)
  }

  advance(by: Duration): Promise<void> {
    return this.#until(this.#around.clock.monotonic() + milliseconds(by, 'by'))
  }

  /** Moves the clock from one due time to the next, up to `end`; if that is Infinity, as long as there is one. */
  async #until(end: number): Promise<void> {
    const { clock } = this.#around
    await this.idle()
    for (let steps = 0; ; steps++) {
      const step = Math.min(this.#nextIn(), end - clock.monotonic())
      if (step === Infinity || step <= 0) return
      if (steps >= mostSteps) {
        const text = `After ${mostSteps} steps of the clock events still wait for it; the last handler that ran: ${this.#runs.last}`
        throw new MillraceError('TEST_NOT_DRAINED', text)
      }
      clock.advance(step)
      await this.idle()
    }
  }

  /** Milliseconds until something happens. Of a batch that fills, and of a breaker that is open, only the clock knows the timer. */
  #nextIn(): number {
    const { transport, clock } = this.#around
    const { gathered, resting } = this.#parts.receiver
    const timer = gathered > 0 || resting ? clock.nextIn : undefined
    return Math.min(transport.dueIn ?? Infinity, timer ?? Infinity)
  }

  published(type: string): readonly MillraceEvent[] {
    return this.#around.published.filter((event) => event.type === type)
  }

  handled(queue: string): readonly MillraceEvent[] {
    this.#parts.receiver.types(queue)
    return this.#runs.handled(queue)
  }

  dead(queue: string): readonly DeadLetter[] {
    this.#parts.receiver.types(queue)
    this.#unread.delete(queue)
    return this.#letters(queue)
  }

  #letters(queue: string): readonly DeadLetter[] {
    return this.#around.transport.deadLetters(queue).map((letter) => letterOf(queue, letter))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#app.stop({ timeout: this.#patience })
    for (const [queue, letters] of this.#unread) {
      // Whoever redrove or purged a letter knew of it.
      const there = new Set(this.#letters(queue).map((letter) => letter.event?.id))
      const unread = letters.filter((letter) => there.has(letter.event?.id))
      if (unread[0] !== undefined) throw unreadError(unread[0], unread.length)
    }
  }
}

function unreadError({ queue, event, error, attempts }: DeadLetter, count: number): MillraceError {
  const others = count === 1 ? '' : `, and ${count - 1} more`
  const runs = attempts === 1 ? '1 attempt' : `${attempts} attempts`
  const what = `${event?.type} ${event?.id} after ${runs}: ${error.name}: ${error.message}`
  return new MillraceError(
    'DEAD_LETTER_UNREAD',
    `The queue '${queue}' has a dead letter that the test never looked at: ${what}${others}`,
  )
}
