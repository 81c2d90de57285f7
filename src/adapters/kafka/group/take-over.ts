import type { GroupAssignment } from '@platformatic/kafka'
import { MillraceError } from '../../../errors/millrace-error.ts'
import type { Cluster } from '../connection/cluster.ts'
import { Lane, nameOf } from '../consuming/lane.ts'
import type { Membership } from './membership.ts'
import { CompactedTopic } from '../records/compacted-topic.ts'
import { progressIn, type KnownProgress } from '../progress/progress.ts'
import { earliest, latest } from '../records/reader.ts'
import { startOf, type Partition, type StoredQueue } from '../queues/registry.ts'
import { staleRatesIn } from '../progress/stored-rates.ts'
import { namesOf, topicsOf } from '../queues/queue-topics.ts'

/** Where a queue goes on in a partition. */
export interface Standing {
  /** undefined: at the beginning. */
  readonly mark: number | undefined
  /** What of its progress counts. */
  readonly progress: KnownProgress | undefined
}

/**
 * What was committed counts; what the progress topic says besides is true as long as nobody has set the offsets back by
 * hand. Progress in another topic of this name says that what was committed is no better: Kafka deletes offsets with
 * their topic, but who had the old one may commit once more before it sees the new one.
 */
export function standingOf(
  queue: StoredQueue,
  at: Partition,
  committed: number | undefined,
  progress: KnownProgress | undefined,
): Standing {
  if (progress !== undefined && progress.topicId !== at.topicId)
    return { mark: startOf(queue, at), progress: undefined }
  const mark = committed ?? progress?.watermark ?? startOf(queue, at)
  const ahead = progress !== undefined && mark !== undefined && progress.watermark > mark
  return { mark, progress: ahead ? undefined : progress }
}

/**
 * Lanes that this process was given, each at the place where its last holder left it.
 * @throws MillraceError EVENTS_EXPIRED, LOG_TRUNCATED if that place is gone; UNKNOWN_QUEUE if the queue is
 */
export async function takeOver(
  cluster: Cluster,
  membership: Membership,
  name: string,
  wanted: readonly GroupAssignment[],
): Promise<readonly Lane[]> {
  if (wanted.length === 0) return []
  const { reader, registry } = cluster
  // First: it may have been removed while this process was away, and what is stored with it.
  const queue = await registry.get(name)
  const queueTopics = topicsOf(name)
  const own = new Set(namesOf(queueTopics))
  const topics = wanted.map(({ topic }) => topic)
  const [committed, stored, begins, ends] = await Promise.all([
    membership.committed(wanted),
    readProgress(cluster, queueTopics.progress, wanted),
    reader.places(topics, earliest),
    reader.places(topics, latest),
    // Who divided the partitions may have seen it grown, and what is moved there must go where its number is.
    cluster.topics.look([queueTopics.retry]),
  ])
  return wanted.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => {
      const { id: topicId = '', offsets } = begins.get(topic) ?? {}
      const at = { topic, topicId, partition }
      const begin = offsets?.[partition] ?? 0
      const end = ends.get(topic)?.offsets[partition] ?? begin
      const { mark, progress } = standingOf(
        queue,
        at,
        committed.get(topic)?.[partition],
        stored.get(nameOf(topic, partition)),
      )
      if (mark !== undefined) checkPlace(name, at, mark, begin, end)
      return new Lane(at, own.has(topic), mark ?? begin, progress)
    }),
  )
}

/** @throws MillraceError EVENTS_EXPIRED, LOG_TRUNCATED */
function checkPlace(
  queue: string,
  { topic, partition }: Partition,
  place: number,
  begin: number,
  end: number,
) {
  const wanted = `The queue '${queue}' has to go on at offset ${place} of '${topic}' partition ${partition}`
  if (place < begin) throw new MillraceError('EVENTS_EXPIRED', `${wanted}, which now begins at ${begin}`)
  if (place > end) throw new MillraceError('LOG_TRUNCATED', `${wanted}, which now ends at ${end}`)
}

/**
 * Whether the lanes can be read on from where they are.
 * @throws MillraceError EVENTS_EXPIRED, LOG_TRUNCATED
 */
export async function checkLanes({ reader }: Cluster, queue: string, lanes: readonly Lane[]): Promise<void> {
  const topics = [...new Set(lanes.map(({ topic }) => topic))]
  const [begins, ends] = await Promise.all([reader.places(topics, earliest), reader.places(topics, latest)])
  for (const lane of lanes) {
    const begin = begins.get(lane.topic)
    const end = ends.get(lane.topic)
    // Another topic of this name has other places.
    if (lane.lost || begin?.id !== lane.topicId || end?.id !== lane.topicId) continue
    const { position, partition } = lane
    checkPlace(queue, lane, position, begin.offsets[partition] ?? 0, end.offsets[partition] ?? position)
  }
}

/** The progress of all lanes. What nobody needs any more is removed on the way: who has these lanes now does so. */
async function readProgress(
  { reader, producing, clock }: Cluster,
  topic: string,
  wanted: readonly GroupAssignment[],
): Promise<ReadonlyMap<string, KnownProgress>> {
  const stored = new CompactedTopic(reader, topic, (value) => value.toString())
  await stored.refresh()
  const { lanes, strays } = progressIn(stored.entries)
  const own = wanted.flatMap(({ topic: name, partitions }) =>
    partitions.map((one) => `${nameOf(name, one)} `),
  )
  const litter = [
    ...staleRatesIn(stored.entries, clock.now()),
    ...strays.filter((key) => own.some((lane) => key.startsWith(lane))),
  ]
  // What cannot be removed now is removed by whoever comes next.
  await producing.send(litter.map((key) => ({ topic, key, value: undefined, partition: 0 })))
  return lanes
}
