import { longestLook, type Clock, type Timer } from '../../../clock/clock.ts'
import type { KafkaEvent } from './kafka-event.ts'
import type { Lane } from './lane.ts'

/** A topic in which everything waits equally long: what came first is due first, so only its head is looked at. */
export class Tier {
  readonly lane: Lane
  readonly #ms: number
  readonly #clock: Clock
  readonly #move: (event: KafkaEvent) => void
  #timer: Timer | undefined

  constructor(lane: Lane, ms: number, clock: Clock, move: (event: KafkaEvent) => void) {
    this.lane = lane
    this.#ms = ms
    this.#clock = clock
    this.#move = move
  }

  /** Moves on what has waited long enough, and comes back for the next. */
  look(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    for (let next = this.lane.peek(); next !== undefined && this.lane.open; next = this.lane.peek()) {
      const rest = next.record.timestamp + this.#ms - this.#clock.now()
      if (rest > 0) {
        this.#timer = this.#clock.after(Math.min(rest, longestLook), () => this.look())
        return
      }
      this.#move(this.lane.take())
    }
  }

  close(): void {
    this.#timer?.cancel()
  }
}
