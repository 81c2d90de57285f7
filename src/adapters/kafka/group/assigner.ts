import type { GroupAssignment, GroupPartitionsAssigner } from '@platformatic/kafka'
import type { QueueTopics } from '../queues/queue-topics.ts'

/**
 * Which partitions are with which member. Those of one number are with one member in all topics of the queue, its retry
 * topic included, where an event keeps the number it had. With order by key, that also holds for numbers that are equal
 * but for a multiple of what divides the counts of all topics: between topics of 4 and of 6 partitions a key is in the
 * same one but for a multiple of 2.
 */
export function assignerFor({ retry, tiers }: QueueTopics, order: boolean): GroupPartitionsAssigner {
  const own = new Set([retry, ...tiers.map(({ topic }) => topic)])
  return (_leader, members, _topics, metadata) => {
    const countOf = (topic: string): number => metadata.topics.get(topic)?.partitionsCount ?? 0
    const ids = [...members.keys()].toSorted()
    const topics = [...new Set(ids.flatMap((id) => members.get(id)?.topics ?? []))]
    const divisor = divisorOf(topics.filter((topic) => !own.has(topic)).map(countOf))
    // Partitions whose events would find none of their number in the retry topic wait until it has grown.
    const places = countOf(retry) || Infinity
    const assignments = new Map(ids.map((id) => [id, new Map<string, GroupAssignment>()]))
    for (const topic of topics) {
      for (let partition = 0; partition < Math.min(countOf(topic), places); partition++) {
        const number = order && divisor > 0 ? partition % divisor : partition
        const id = ids[number % ids.length] as string
        // Who does not know the topic yet will within seconds. To anybody else its keys would be split.
        if (members.get(id)?.topics?.includes(topic) !== true) continue
        const given = assignments.get(id)
        given?.set(topic, { topic, partitions: [...(given.get(topic)?.partitions ?? []), partition] })
      }
    }
    return ids.map((memberId) => ({ memberId, assignments: assignments.get(memberId) ?? new Map() }))
  }
}

/** The greatest number that divides all counts: so many members can share what is in order by key. */
function divisorOf(counts: readonly number[]): number {
  return counts.reduce(gcd, 0)
}

/** What is to be said of topics whose partitions, by their numbers, leave all keys to one process; else undefined. */
export function undivided(topics: ReadonlyMap<string, number>): string | undefined {
  const counts = [...topics.values()]
  if (divisorOf(counts) !== 1 || Math.max(...counts) === 1) return undefined
  return [...topics].map(([topic, count]) => `${topic} has ${count}`).join(', ')
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b)
}
