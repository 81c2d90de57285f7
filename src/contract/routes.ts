import { isReserved, matches } from '../event/names.ts'
import type { Subscription } from './transport.ts'

/** Topics and types are few, but nothing keeps a publisher from making up new ones: beyond this a cache begins anew. */
const rememberedNames = 1_000

export interface Binding<Queue> extends Subscription {
  readonly queue: Queue
}

/** Which queues an event goes to, by all subscriptions of one moment. Remembers what it was asked for. */
export class Routes<Queue> {
  readonly #bindings: readonly Binding<Queue>[]
  readonly #known = new Map<string, Map<string, readonly Queue[]>>()

  constructor(bindings: readonly Binding<Queue>[]) {
    this.#bindings = bindings
  }

  /** The queues that subscribe to the type, each once. */
  of(topic: string, type: string): readonly Queue[] {
    // Two maps, since gluing the names together would cost more than the look-up.
    let byType = this.#known.get(topic)
    if (byType === undefined) {
      if (this.#known.size >= rememberedNames) this.#known.clear()
      byType = new Map()
      this.#known.set(topic, byType)
    }
    let queues = byType.get(type)
    if (queues === undefined) {
      const fitting = this.#bindings.filter((binding) => reaches(binding, topic, type))
      queues = [...new Set(fitting.map(({ queue }) => queue))]
      if (byType.size >= rememberedNames) byType.clear()
      byType.set(type, queues)
    }
    return queues
  }
}

/** Whether an event gets to whoever subscribes to this. What millrace keeps in topics of its own is no part of all topics. */
export function reaches({ topic: wanted, pattern }: Subscription, topic: string, type: string): boolean {
  return (wanted === topic || (wanted === '*' && !isReserved(topic))) && matches(pattern, type)
}
