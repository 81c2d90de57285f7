import { pause, systemClock } from '../../clock/clock.ts'
import type { KafkaEvent } from './kafka-event.ts'
import { failureIn, type NewRecord, type Producing } from './producing.ts'

const batch = 500
const afterFailure = 1_000

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
  #busy = false

  constructor(producing: Producing, events: MoverEvents) {
    this.#producing = producing
    this.#events = events
  }

  add(event: KafkaEvent, record: NewRecord): void {
    event.state = 'moving'
    this.#waiting.push({ event, record })
    if (this.#busy) return
    this.#busy = true
    setImmediate(() => void this.#run())
  }

  /** What is left when its lane has gone is somebody else's to move. */
  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const list = this.#waiting.splice(0, batch).filter(({ event }) => event.state === 'moving')
      const results = await this.#producing.send(list.map(({ record }) => record))
      const failed = list.filter((_, i) => results !== undefined && results[i] !== 'taken')
      const left = new Set(failed)
      for (const one of list) if (!left.has(one)) this.#events.moved(one.event)
      if (failed.length === 0) continue
      this.#waiting = [...failed, ...this.#waiting]
      this.#events.failed(failureIn(results))
      await pause(systemClock, afterFailure)
    }
    this.#busy = false
  }
}
