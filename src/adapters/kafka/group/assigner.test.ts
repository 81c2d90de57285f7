import { expect, test } from 'vitest'
import { assignerFor } from './assigner.ts'
import { topicsOf } from '../queues/queue-topics.ts'

const queue = topicsOf('q')

/** Who has each partition of each topic; `.` for nobody. */
function assigned(
  order: boolean,
  counts: Readonly<Record<string, number>>,
  members: Readonly<Record<string, readonly string[]>>,
): Readonly<Record<string, string>> {
  const shapes = Object.entries(counts).map(
    ([topic, partitionsCount]) => [topic, { partitionsCount }] as const,
  )
  const joined = Object.entries(members).map(
    ([memberId, topics]) => [memberId, { memberId, topics: [...topics] }] as const,
  )
  const result = assignerFor(queue, order)('a', new Map(joined) as never, new Set(Object.keys(counts)), {
    topics: new Map(shapes),
  } as never)
  const holders = Object.entries(counts).map(
    ([topic, count]) => [topic, Array<string>(count).fill('.')] as const,
  )
  for (const { memberId, assignments } of result) {
    for (const { topic, partitions } of assignments.values()) {
      for (const partition of partitions) {
        const list = holders.find(([name]) => name === topic)?.[1] as string[]
        expect(list[partition], `${topic} ${partition} is given twice`).toBe('.')
        list[partition] = memberId
      }
    }
  }
  return Object.fromEntries(holders.map(([topic, list]) => [topic, list.join('')]))
}

const all = (...topics: readonly string[]) => ({ a: topics, b: topics, c: topics })

test('partitions of one number are with one member, and everybody has some of each topic', () => {
  const counts = { t: 5, u: 3, [queue.retry]: 5, [queue.tiers[0]!.topic]: 1 }
  expect(assigned(false, counts, all(...Object.keys(counts)))).toEqual({
    t: 'abcab',
    u: 'abc',
    [queue.retry]: 'abcab',
    [queue.tiers[0]!.topic]: 'a',
  })
})

test('with order, a key is with one member in topics of different counts', () => {
  expect(assigned(true, { t: 4, u: 6, [queue.retry]: 6 }, all('t', 'u', queue.retry))).toEqual({
    t: 'abab',
    u: 'ababab',
    [queue.retry]: 'ababab',
  })
  expect(assigned(true, { t: 6, [queue.retry]: 12 }, all('t', queue.retry))).toEqual({
    t: 'abcabc',
    [queue.retry]: 'abcabcabcabc',
  })
})

test('what somebody does not know yet, and what the retry topic has no partition for, waits', () => {
  const members = { a: ['t', queue.retry], b: [queue.retry] }
  expect(assigned(true, { t: 4, [queue.retry]: 2 }, members)).toEqual({ t: 'a...', [queue.retry]: 'ab' })
})
