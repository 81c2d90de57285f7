import type { KafkaEvent } from './kafka-event.ts'
import type { Lane } from './lane.ts'

/** Events that one lane gives before the next has its turn. */
const turn = 64

/** Lanes in their turns. One that has as much ahead as it may gives nothing until its first events are settled. */
export class Turns {
  readonly #paused: (lane: Lane) => void
  #ring: Lane[] = []
  #given = 0

  /** @param paused is told of each lane that is full, once */
  constructor(paused: (lane: Lane) => void) {
    this.#paused = paused
  }

  add(lane: Lane): void {
    this.#ring.push(lane)
  }

  /** Forgets the lanes that somebody else has now. */
  drop(): void {
    this.#ring = this.#ring.filter(({ lost }) => !lost)
  }

  /** What the first lane gives whose turn it is and that has something. */
  next(from: (lane: Lane) => KafkaEvent | undefined): KafkaEvent | undefined {
    for (let tried = 0; tried < this.#ring.length; tried++) {
      const lane = this.#ring[0] as Lane
      const event = lane.open ? from(lane) : undefined
      if (event !== undefined) {
        if (++this.#given % turn === 0) this.#rotate()
        return event
      }
      if (lane.pauses()) this.#paused(lane)
      this.#rotate()
    }
    return undefined
  }

  #rotate(): void {
    const lane = this.#ring.shift()
    if (lane !== undefined) this.#ring.push(lane)
  }
}
