import { LettersAdmin } from '../../contract/letters-admin.ts'
import type { Subscription } from '../../contract/transport.ts'
import type { QueueCounts, TransportAdmin } from '../../contract/transport-admin.ts'
import { messageOf, MillraceError } from '../../errors/millrace-error.ts'
import type { Client } from './connection/client.ts'
import type { Cluster } from './connection/cluster.ts'
import { says } from './connection/failures.ts'
import { Letters } from './queues/letters.ts'
import { QueueCounter } from './queues/queue-counter.ts'
import { namesOf, topicsOf } from './queues/queue-topics.ts'
import type { QueueConsumer } from './consuming/queue-consumer.ts'

/** The transport, as its operators see it. */
export interface AdminHost {
  /** @throws MillraceError STOPPED */
  open(): Promise<Cluster>
  /** The consumer that this process itself has of a queue. */
  local(queue: string): QueueConsumer | undefined
}

export class KafkaAdmin extends LettersAdmin implements TransportAdmin {
  readonly #host: AdminHost
  readonly #letters = new Map<string, Letters>()

  constructor(host: AdminHost) {
    super()
    this.#host = host
  }

  async queues(): Promise<readonly QueueCounts[]> {
    const cluster = await this.#host.open()
    const counter = new QueueCounter(cluster, (name) => this.#host.local(name))
    return counter.all((queue) => this.#lettersIn(cluster, queue))
  }

  async removeQueue(name: string): Promise<number> {
    const cluster = await this.#host.open()
    const { registry, topics, client } = cluster
    const queue = await registry.get(name)
    const counter = new QueueCounter(cluster, (local) => this.#host.local(local))
    const counts = await counter.one(name, (one) => this.#lettersIn(cluster, one))
    // First of all: Kafka refuses while somebody consumes.
    await deleteGroup(client, name)
    await registry.remove(queue)
    await topics.delete(namesOf(topicsOf(name)))
    this.#letters.delete(name)
    return counts.depth + counts.inFlight + counts.retrying + counts.delayed + counts.dead
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

  protected override async letters(queue: string): Promise<Letters> {
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

async function deleteGroup({ admin }: Client, name: string): Promise<void> {
  try {
    await admin.deleteGroups({ groups: [name] })
  } catch (error) {
    // Nobody has ever consumed.
    if (says(error, 'GROUP_ID_NOT_FOUND')) return
    const why = says(error, 'NON_EMPTY_GROUP') ? 'its consumers have to be stopped first' : messageOf(error)
    throw new MillraceError('KAFKA_FAILED', `The queue '${name}' could not be removed: ${why}`, {
      cause: error,
    })
  }
}
