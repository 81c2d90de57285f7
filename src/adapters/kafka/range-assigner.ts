import type { GroupAssignment, GroupPartitionsAssigner } from '@platformatic/kafka'

/**
 * Each member gets one run of the partitions of each topic, all members in the same order: so that the same partition of
 * two topics, and with it the same key, is with one member. An event's retries are then read where its key is.
 */
export const rangeAssigner: GroupPartitionsAssigner = (_leader, members, topics, metadata) => {
  const assignments = new Map<string, Map<string, GroupAssignment>>()
  const ids = [...members.keys()].toSorted()
  for (const id of ids) assignments.set(id, new Map())
  for (const topic of topics) {
    const takers = ids.filter((id) => members.get(id)?.topics?.includes(topic))
    const count = metadata.topics.get(topic)?.partitionsCount ?? 0
    takers.forEach((id, i) => {
      const from = Math.ceil((count * i) / takers.length)
      const to = Math.ceil((count * (i + 1)) / takers.length)
      const partitions = Array.from({ length: to - from }, (_, at) => from + at)
      if (partitions.length > 0) assignments.get(id)?.set(topic, { topic, partitions })
    })
  }
  return ids.map((memberId) => ({ memberId, assignments: assignments.get(memberId) ?? new Map() }))
}
