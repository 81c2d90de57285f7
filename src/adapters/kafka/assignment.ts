import type { GroupAssignment } from '@platformatic/kafka'
import { MillraceError } from '../../errors/millrace-error.ts'
import type { Cluster } from './cluster.ts'
import { Lane, nameOf } from './lane.ts'
import type { Membership } from './membership.ts'
import { readProgress } from './progress.ts'
import { earliest, latest } from './reader.ts'
import { startOf, type StoredQueue } from './registry.ts'
import { namesOf, topicsOf } from './topics.ts'

/**
 * Lanes that this process was given, each at the place where its last holder left it. What was committed counts; what the
 * progress topic says besides is true as long as nobody has set the offsets back by hand.
 * @throws MillraceError EVENTS_EXPIRED if events between that place and the beginning of a topic are gone
 */
export async function takeOver(
  { reader, registry }: Cluster,
  membership: Membership,
  queue: StoredQueue,
  wanted: readonly GroupAssignment[],
): Promise<readonly Lane[]> {
  if (wanted.length === 0) return []
  const own = new Set(namesOf(topicsOf(queue.name)))
  const topics = wanted.map(({ topic }) => topic)
  const [committed, progress, begins, ends] = await Promise.all([
    membership.committed(wanted),
    readProgress(reader, topicsOf(queue.name).progress),
    reader.offsets(topics, earliest),
    reader.offsets(topics, latest),
  ])
  const stored = registry.find(queue.name) ?? queue
  return wanted.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => {
      const known = progress.get(nameOf(topic, partition))
      const begin = begins.get(topic)?.[partition] ?? 0
      const end = ends.get(topic)?.[partition] ?? begin
      const mark = committed.get(topic)?.[partition] ?? known?.watermark ?? startOf(stored, topic, partition)
      if (mark !== undefined && (mark < begin || mark > end))
        throw expired(queue.name, topic, partition, mark, begin)
      const start = mark ?? begin
      return new Lane(
        topic,
        partition,
        own.has(topic),
        start,
        known !== undefined && known.watermark <= start ? known : undefined,
      )
    }),
  )
}

function expired(
  queue: string,
  topic: string,
  partition: number,
  mark: number,
  begin: number,
): MillraceError {
  return new MillraceError(
    'EVENTS_EXPIRED',
    `The queue '${queue}' has to go on at offset ${mark} of '${topic}' partition ${partition}, which now begins at ${begin}`,
  )
}
