import { keptOf } from '../../contract/declared.ts'
import type { QueueSpec, Subscription } from '../../contract/transport.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import { MemoryQueue } from './memory-queue.ts'
import type { StoredEvent } from './stored-event.ts'

/** Types are few, but nothing keeps a publisher from making up new ones. */
const rememberedRoutes = 10_000

/** All queues by name, and which of them an event goes to. */
export class Queues {
  readonly #byName = new Map<string, MemoryQueue>()
  readonly #routes = new Map<string, readonly MemoryQueue[]>()

  all(): readonly MemoryQueue[] {
    return [...this.#byName.values()]
  }

  /** What all of them hold takes in memory, about. */
  get bytes(): number {
    let sum = 0
    for (const queue of this.#byName.values()) sum += queue.bytes
    return sum
  }

  /** @throws MillraceError UNKNOWN_QUEUE */
  get(name: string): MemoryQueue {
    const queue = this.#byName.get(name)
    if (queue === undefined) throw new MillraceError('UNKNOWN_QUEUE', `There is no queue '${name}'`)
    return queue
  }

  has(name: string): boolean {
    return this.#byName.has(name)
  }

  /** Makes the queue if it is new and adds to its subscriptions. Returns what it has beyond the spec, in words. */
  declare(spec: QueueSpec): readonly string[] {
    const { name, order, subscriptions } = spec
    const queue = this.#byName.get(name) ?? new MemoryQueue(name, order)
    const others = queue.subscriptions.filter((own) => !subscriptions.some((asked) => same(own, asked)))
    queue.subscriptions = [...others, ...subscriptions]
    this.#byName.set(name, queue)
    this.#routes.clear()
    return keptOf(spec, queue)
  }

  remove(queue: MemoryQueue): void {
    queue.removed = true
    this.#byName.delete(queue.name)
    this.#routes.clear()
  }

  unbind(queue: MemoryQueue, subscriptions: readonly Subscription[]): void {
    queue.subscriptions = queue.subscriptions.filter(
      (own) => !subscriptions.some((asked) => same(own, asked)),
    )
    this.#routes.clear()
  }

  for({ topic, type }: Pick<StoredEvent, 'topic' | 'type'>): readonly MemoryQueue[] {
    const route = `${topic} ${type}`
    let queues = this.#routes.get(route)
    if (queues === undefined) {
      queues = this.all().filter((queue) => queue.subscribesTo(topic, type))
      if (this.#routes.size >= rememberedRoutes) this.#routes.clear()
      this.#routes.set(route, queues)
    }
    return queues
  }
}

function same(a: Subscription, b: Subscription): boolean {
  return a.topic === b.topic && a.pattern === b.pattern
}
