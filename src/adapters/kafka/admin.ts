import type { QueueCounts, StoredDeadLetter, Subscription, TransportAdmin } from '../../contract/transport.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import type { Outgoing } from '../../event/outgoing.ts'
import type { Cluster } from './cluster.ts'
import { Letters } from './letters.ts'
import { QueueCounter } from './queue-counter.ts'
import { namesOf, topicsOf } from './topics.ts'
import type { LocalQueue } from './kafka-transport.ts'

/** The transport, as its operators see it. */
export interface AdminHost {
  /** @throws MillraceError STOPPED */
  open(): Promise<Cluster>
  /** What this process itself does for a queue. */
  local(queue: string): LocalQueue | undefined
}

export class KafkaAdmin implements TransportAdmin {
  readonly #host: AdminHost
  readonly #letters = new Map<string, Letters>()

  constructor(host: AdminHost) {
    this.#host = host
  }

  async queues(): Promise<readonly QueueCounts[]> {
    const cluster = await this.#host.open()
    const counter = new QueueCounter(cluster, (name) => this.#host.local(name))
    return counter.counts((queue) => this.#lettersIn(cluster, queue))
  }

  async deadLetters(
    queue: string,
    { limit, after }: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<readonly StoredDeadLetter[]> {
    return (await this.#of(queue)).page(limit, after)
  }

  async deadLetter(queue: string, letter: string): Promise<StoredDeadLetter | undefined> {
    return (await this.#of(queue)).get(letter)
  }

  async redrive(queue: string, letters: readonly string[] | undefined, replace?: Outgoing): Promise<number> {
    return (await this.#of(queue)).redrive(letters, replace)
  }

  async purge(queue: string, letters: readonly string[] | undefined): Promise<number> {
    return (await this.#of(queue)).purge(letters)
  }

  async removeQueue(name: string): Promise<number> {
    const cluster = await this.#host.open()
    const { registry, topics, client } = cluster
    const queue = await registry.get(name)
    const counter = new QueueCounter(cluster, (local) => this.#host.local(local))
    const counts = (await counter.counts((one) => this.#lettersIn(cluster, one))).find(
      (one) => one.name === name,
    )
    await registry.remove(queue)
    await client.admin.deleteGroups({ groups: [name] })
    await topics.delete(namesOf(topicsOf(name)))
    this.#letters.delete(name)
    return (
      (counts?.depth ?? 0) +
      (counts?.inFlight ?? 0) +
      (counts?.retrying ?? 0) +
      (counts?.delayed ?? 0) +
      (counts?.dead ?? 0)
    )
  }

  async unbind(queue: string, subscriptions: readonly Subscription[]): Promise<void> {
    const { registry } = await this.#host.open()
    await registry.unbind(queue, subscriptions)
  }

  /** A log does not know which of its events nobody has read. */
  async redriveUnrouted(): Promise<number> {
    await this.#host.open()
    throw new MillraceError(
      'UNSUPPORTED',
      "Kafka keeps all events of a topic alike: declare a queue with from: 'beginning' to get those of before",
    )
  }

  async #of(queue: string): Promise<Letters> {
    const cluster = await this.#host.open()
    await cluster.registry.get(queue)
    return this.#lettersIn(cluster, queue)
  }

  #lettersIn(cluster: Cluster, queue: string): Letters {
    const letters = this.#letters.get(queue) ?? new Letters(cluster, queue)
    this.#letters.set(queue, letters)
    return letters
  }
}
