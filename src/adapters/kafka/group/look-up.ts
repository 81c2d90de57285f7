import type { Cluster } from '../connection/cluster.ts'
import type { TopicShape } from '../queues/topics.ts'
import { topicsOf } from '../queues/queue-topics.ts'

/** The topics that a queue is consumed from, at this moment. */
export interface QueueSources {
  /** Those of its own that are consumed, too. */
  readonly all: ReadonlyMap<string, TopicShape>
  /** How many partitions each topic has that it subscribes to. */
  readonly sources: ReadonlyMap<string, number>
}

/** Whoever removes a topic does not ask us, and one that is not there must not keep us from the others. @throws MillraceError UNKNOWN_QUEUE */
export async function lookUp({ registry, topics }: Cluster, queue: string): Promise<QueueSources> {
  const own = topicsOf(queue)
  const subscribed = await registry.topicsFor(await registry.get(queue))
  const all = await topics.look([...subscribed, own.retry, ...own.tiers.map(({ topic }) => topic)])
  const sources = new Map(
    subscribed.flatMap((topic): [string, number][] => {
      const shape = all.get(topic)
      return shape === undefined ? [] : [[topic, shape.partitions]]
    }),
  )
  const most = Math.max(0, ...sources.values())
  const retry = all.get(own.retry)
  if (retry === undefined || retry.partitions >= most) return { all, sources }
  return { all: new Map(all).set(own.retry, await topics.grow(own.retry, most)), sources }
}
