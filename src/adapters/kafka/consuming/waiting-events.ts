import { longestLook, type Clock, type Timer } from '../../../clock/clock.ts'
import type { KafkaEvent } from './kafka-event.ts'

interface Waiting {
  readonly due: number
  readonly event: KafkaEvent
}

/** Events that wait for their time: a binary heap, and one timer for the first of them. */
export class WaitingEvents {
  readonly #items: Waiting[] = []
  readonly #clock: Clock
  readonly #due: (events: readonly KafkaEvent[]) => void
  #timer: Timer | undefined

  /** `due` is given what is due, as soon as it is. */
  constructor(clock: Clock, due: (events: readonly KafkaEvent[]) => void) {
    this.#clock = clock
    this.#due = due
  }

  /** `due`: in milliseconds since 1970. */
  add(event: KafkaEvent, due: number): void {
    const items = this.#items
    const item = { due, event }
    let slot = items.length
    for (let parent = (slot - 1) >> 1; slot > 0 && items[parent]!.due > due; parent = (slot - 1) >> 1) {
      items[slot] = items[parent]!
      slot = parent
    }
    items[slot] = item
    this.#arm()
  }

  close(): void {
    this.#timer?.cancel()
  }

  #arm(): void {
    this.#timer?.cancel()
    const first = this.#items[0]
    if (first === undefined) return
    const rest = Math.max(first.due - this.#clock.now(), 1)
    this.#timer = this.#clock.after(Math.min(rest, longestLook), () => {
      const due = this.#take(this.#clock.now())
      this.#arm()
      if (due.length > 0) this.#due(due)
    })
  }

  #take(now: number): readonly KafkaEvent[] {
    const due: KafkaEvent[] = []
    for (let first = this.#items[0]; first !== undefined && first.due <= now; first = this.#items[0]) {
      due.push(first.event)
      this.#removeFirst()
    }
    return due
  }

  #removeFirst(): void {
    const items = this.#items
    const last = items.pop()
    if (last === undefined || items.length === 0) return
    let slot = 0
    for (let child = 1; child < items.length; child = 2 * slot + 1) {
      const right = items[child + 1]
      if (right !== undefined && right.due < items[child]!.due) child++
      if (items[child]!.due >= last.due) break
      items[slot] = items[child]!
      slot = child
    }
    items[slot] = last
  }
}
