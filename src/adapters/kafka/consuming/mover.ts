import { pause, systemClock } from '../../../clock/clock.ts'
import { within } from '../../../clock/within.ts'
import type { KafkaEvent } from './kafka-event.ts'
import { failureIn, type NewRecord, type Producing } from '../producing/producing.ts'

const batch = 500
const afterFailure = 1_000
const patienceAtStop = 600

export interface MoverEvents {
  /** The event lies in its new place. */
  moved(event: KafkaEvent): void
  failed(error: unknown): void
}

/** Carries events into other topics of their queue, in the background, until each is there. */
export class Mover {
  readonly #producing: Producing
  readonly #events: MoverEvents
  #waiting: { readonly event: KafkaEvent; readonly record: NewRecord }[] = []
  #running: Promise<void> | undefined
  #held = false
  readonly #stopping = new AbortController()

  constructor(producing: Producing, events: MoverEvents) {
    this.#producing = producing
    this.#events = events
  }

  add(event: KafkaEvent, record: NewRecord): void {
    event.state = 'moving'
    // Whoever has its lane next finds it where it is.
    if (this.#stopping.signal.aborted) return
    this.#waiting.push({ event, record })
    this.#start()
  }

  /** Begins no more moves until `resume`. Resolves when those under way have ended. */
  async hold(): Promise<void> {
    this.#held = true
    await this.#running
  }

  resume(): void {
    this.#held = false
    this.#start()
  }

  /**
   * Begins no more moves. Resolves when those under way have ended: they may be committed then. What takes too long is not,
   * and is moved once more by whoever comes next.
   */
  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#waiting = []
    if (this.#running !== undefined) await within(this.#running, patienceAtStop)
  }

  #start(): void {
    if (!this.#held && this.#waiting.length > 0) this.#running ??= this.#run()
  }

  /** What is left when its lane has gone is somebody else's to move. */
  async #run(): Promise<void> {
    const { signal } = this.#stopping
    // What is added in this turn of the event loop goes together.
    await new Promise<void>((resolve) => setImmediate(resolve))
    while (this.#waiting.length > 0 && !this.#held) {
      const list = this.#waiting.splice(0, batch).filter(({ event }) => event.state === 'moving')
      const results = await this.#producing.move(list.map(({ record }) => record))
      const failed = list.filter((_, i) => results !== undefined && results[i] !== 'taken')
      const left = new Set(failed)
      for (const one of list) if (!left.has(one)) this.#events.moved(one.event)
      if (failed.length === 0) continue
      if (signal.aborted) break
      this.#waiting = [...failed, ...this.#waiting]
      this.#events.failed(failureIn(results))
      if (this.#held) break
      await pause(systemClock, afterFailure, signal)
    }
    this.#running = undefined
    // It may have been held, and resumed, while the last of them were under way.
    if (!signal.aborted) this.#start()
  }
}
