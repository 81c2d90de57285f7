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
  /** By topic, then by type: to put the two into one text costs more than all the rest. */
  readonly #routes = new Map<string, Map<string, readonly MemoryQueue[]>>()
  #remembered = 0

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
    this.#forgetRoutes()
    return keptOf(spec, queue)
  }

  remove(queue: MemoryQueue): void {
    queue.removed = true
    this.#byName.delete(queue.name)
    this.#forgetRoutes()
  }

  unbind(queue: MemoryQueue, subscriptions: readonly Subscription[]): void {
    queue.subscriptions = queue.subscriptions.filter(
      (own) => !subscriptions.some((asked) => same(own, asked)),
    )
    this.#forgetRoutes()
  }

  for({ topic, type }: Pick<StoredEvent, 'topic' | 'type'>): readonly MemoryQueue[] {
    return this.#routes.get(topic)?.get(type) ?? this.#find(topic, type)
  }

  #find(topic: string, type: string): readonly MemoryQueue[] {
    const queues = this.all().filter((queue) => queue.subscribesTo(topic, type))
    if (this.#remembered++ >= rememberedRoutes) this.#forgetRoutes()
    const routes = this.#routes.get(topic) ?? new Map<string, readonly MemoryQueue[]>()
    this.#routes.set(topic, routes.set(type, queues))
    return queues
  }

  #forgetRoutes(): void {
    this.#routes.clear()
    this.#remembered = 0
  }
}

function same(a: Subscription, b: Subscription): boolean {
  return a.topic === b.topic && a.pattern === b.pattern
}
