import type { KafkaEvent } from './kafka-event.ts'

/** What is under way for one key. */
interface KeyState {
  /** The session that holds events of the key, and how many. */
  holder: object | undefined
  held: number
  /** Events that the key waits for: parked until their time. */
  parked: number
  /** Events that came up while they could not be handed out. */
  readonly blocked: KafkaEvent[]
}

/** Events that were taken and are not handed out, or not any more; and with order by key, which of them may be. */
export class Pending {
  readonly #byKey: boolean
  readonly #keys = new Map<string, KeyState>()
  /** By sequence. */
  #returned: KafkaEvent[] = []

  constructor(byKey: boolean) {
    this.#byKey = byKey
  }

  /** The first of those that came back. */
  shift(): KafkaEvent | undefined {
    for (let event = this.#returned.shift(); event !== undefined; event = this.#returned.shift()) {
      // Its lane may have gone meanwhile.
      if (event.state === 'waiting') return event
    }
    return undefined
  }

  /** Puts an event at its place. */
  giveBack(event: KafkaEvent): void {
    const state = this.#stateOf(event)
    // Behind it in its key others may wait already: it has to stand before them.
    if (state !== undefined && state.blocked.length > 0)
      state.blocked.splice(placeOf(state.blocked, event), 0, event)
    else this.#returned.splice(placeOf(this.#returned, event), 0, event)
  }

  /** Hands the event to the session, or lets it wait for its key. */
  admit(event: KafkaEvent, session: object): boolean {
    if (this.#byKey && event.key !== undefined) {
      const state = this.#keys.get(event.key) ?? { holder: undefined, held: 0, parked: 0, blocked: [] }
      this.#keys.set(event.key, state)
      const taken = state.holder !== undefined && state.holder !== session
      if (taken || state.parked > 0 || state.blocked.length > 0) {
        state.blocked.splice(placeOf(state.blocked, event), 0, event)
        return false
      }
      state.holder = session
      state.held++
    }
    event.state = 'held'
    event.holder = session
    return true
  }

  /** The event is in nobody's hands any more. */
  left(event: KafkaEvent): void {
    const state = this.#stateOf(event)
    if (state === undefined) return
    state.held--
    this.#unblock(event.key as string, state)
  }

  /** The event's key waits for it from now on, until `unpark`. */
  park(event: KafkaEvent): void {
    if (!this.#byKey || event.key === undefined) return
    event.parked = true
    const state = this.#stateOf(event) ?? { holder: undefined, held: 0, parked: 0, blocked: [] }
    this.#keys.set(event.key, state)
    state.parked++
  }

  unpark(event: KafkaEvent): void {
    const state = this.#stateOf(event)
    if (!event.parked || state === undefined) return
    event.parked = false
    state.parked--
    this.#unblock(event.key as string, state)
  }

  #stateOf(event: KafkaEvent): KeyState | undefined {
    return this.#byKey && event.key !== undefined ? this.#keys.get(event.key) : undefined
  }

  #unblock(key: string, state: KeyState): void {
    if (state.held > 0 || state.parked > 0) return
    this.#keys.delete(key)
    if (state.blocked.length > 0) {
      this.#returned = [...this.#returned, ...state.blocked].toSorted((a, b) => a.sequence - b.sequence)
    }
  }
}

function placeOf(list: readonly KafkaEvent[], { sequence }: KafkaEvent): number {
  let low = 0
  let high = list.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (list[middle]!.sequence < sequence) low = middle + 1
    else high = middle
  }
  return low
}
