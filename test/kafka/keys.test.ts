import { Admin } from '@platformatic/kafka'
import { afterAll, expect, test } from 'vitest'
import { kafkaFromUrl } from '../../src/adapters/kafka/index.ts'
import { addFailure } from '../../src/contract/dead-letter.ts'
import type { Notice, Received, Session } from '../../src/contract/transport.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { dataOf, event, newName, open, spec } from './sessions.ts'

await describeWithServer('kafka', (server) => {
  const admin = new Admin({ clientId: 'test', bootstrapBrokers: [server.replace('kafka://', '')] })
  afterAll(() => admin.close())

  const names = Array.from({ length: 24 }, (_, n) => `key ${n}`)

  /** So many events, as they come to each of the sessions. */
  const receive = async (sessions: readonly Session[], count: number): Promise<readonly Received[][]> => {
    const received: Received[][] = sessions.map(() => [])
    while (received.flat().length < count) {
      for (const [i, session] of sessions.entries())
        received[i]!.push(...(await session.exchange({ settle: [], max: count })).received)
      if (received.flat().length >= count) break
      await Promise.race(sessions.map((session) => session.ready(AbortSignal.timeout(30_000))))
    }
    return received
  }

  /** Which session has each key; fails if two have it. */
  const holders = (received: readonly (readonly Received[])[]): ReadonlyMap<string, number> => {
    const found = new Map<string, number>()
    received.forEach((list, session) => {
      for (const { key = '' } of list) {
        expect(found.get(key) ?? session, `who has '${key}'`).toBe(session)
        found.set(key, session)
      }
    })
    return found
  }

  test.for([
    { counts: [1], partitions: 12, share: 1 },
    { counts: [4, 6], partitions: 1, share: 2 },
  ])(
    'topics of $counts partitions: a key is with one process, also when it is retried and redriven',
    { timeout: 60_000 },
    async ({ counts, partitions, share }) => {
      const queue = newName('queue')
      const topics = counts.map(() => newName('topic'))
      for (const [i, topic] of topics.entries())
        await admin.createTopics({ topics: [topic], partitions: counts[i]!, replicas: 1 })
      const url = `${server}?partitions=${partitions}`
      await using one = kafkaFromUrl(url)
      await using other = kafkaFromUrl(url)
      const subscriptions = topics.map((topic) => ({ topic, pattern: '*' }))
      await one.declare([spec(queue, topics[0]!, { subscriptions, order: true })])
      const sessions = [await open(one, queue, { order: true }), await open(other, queue, { order: true })]
      for (const topic of topics) await one.publish(names.map((key) => event(topic, key, { key })))

      const count = names.length * topics.length
      const first = await receive(sessions, count)
      const held = holders(first)
      expect(new Set(held.values()).size).toBe(share)

      const trail = addFailure(undefined, 1_000, 'no')
      await Promise.all(
        sessions.map((session, i) =>
          session.settle(
            first[i]!.map((of, n) => ({ of, as: 'retry', delay: n % 3 === 0 ? 11_000 : 0, trail })),
          ),
        ),
      )
      const second = await receive(sessions, count)
      expect(second.flat().map(({ attempt }) => attempt)).toEqual(first.flat().map(() => 2))
      expect(holders(second)).toEqual(held)

      const error = { name: 'Error', message: 'no' }
      const record = { ...trail, error, attempts: 2, deadAt: 1 }
      await Promise.all(
        sessions.map((session, i) => session.settle(second[i]!.map((of) => ({ of, as: 'dead', record })))),
      )
      expect(await one.admin.redrive(queue, undefined)).toBe(count)
      const third = await receive(sessions, count)
      expect(holders(third)).toEqual(held)
      expect(third.flat().map(dataOf).toSorted()).toEqual(first.flat().map(dataOf).toSorted())
      await Promise.all(sessions.map((session) => session.close()))
    },
  )

  test.for([
    { counts: [4, 5], order: true, said: 1 },
    { counts: [1, 6], order: true, said: 1 },
    { counts: [4, 6], order: true, said: 0 },
    { counts: [1, 1], order: true, said: 0 },
    { counts: [4, 5], order: false, said: 0 },
  ])('$counts partitions, order by key $order: $said notices at start', async ({ counts, order, said }) => {
    const queue = newName('queue')
    const topics = counts.map(() => newName('topic'))
    for (const [i, topic] of topics.entries())
      await admin.createTopics({ topics: [topic], partitions: counts[i]!, replicas: 1 })
    await using transport = kafkaFromUrl(`${server}?partitions=1`)
    const subscriptions = topics.map((topic) => ({ topic, pattern: '*' }))
    await transport.declare([spec(queue, topics[0]!, { subscriptions, order })])
    const notices: Notice[] = []
    const session = await open(transport, queue, { order, notice: (one) => notices.push(one) })
    await session.close()
    const shown = topics.map((topic, i) => expect.stringContaining(`${topic} has ${counts[i]}`))
    const undivided = notices.filter(({ code }) => code === 'KEYS_UNDIVIDED')
    expect(undivided).toHaveLength(said)
    for (const message of undivided.length === 0 ? [] : shown)
      expect(undivided[0]).toMatchObject({ queue, message })
  })
})
