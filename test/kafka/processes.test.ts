import { expect, test } from 'vitest'
import { kafkaFromUrl } from '../../src/adapters/kafka/index.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { ascending, newName, numbered, numbers, startConsumer } from './consumers.ts'

const spec = (name: string, topic: string) => ({
  name,
  subscriptions: [{ topic, pattern: '*' }],
  from: 'now' as const,
  order: false,
})

await describeWithServer('kafka', (server) => {
  const url = `${server}?partitions=6`

  test(
    'processes that come and go cleanly hand everything over: nothing settled comes again',
    { timeout: 90_000 },
    async () => {
      await using transport = kafkaFromUrl(url)
      const [queue, topic, count] = [newName('queue'), newName('topic'), 4_000]
      await transport.declare([spec(queue, topic)])
      await transport.publish(numbered(topic, count, (n) => `key ${n % 50}`))
      const first = startConsumer(url, queue, topic, 20)
      await first.until(300)
      const second = startConsumer(url, queue, topic, 20)
      await second.until(300)
      await first.kill('SIGTERM')
      const third = startConsumer(url, queue, topic, 20)
      await third.until(1)
      const all = [first, second, third]
      while (all.reduce((sum, { ended }) => sum + ended.length, 0) < count) {
        await Promise.race([second.until(second.ended.length + 1), third.until(third.ended.length + 1)])
      }
      await Promise.all([second.kill('SIGTERM'), third.kill('SIGTERM')])
      expect(ascending(all.flatMap(({ ended }) => ended))).toEqual(numbers(count))
      expect(ascending(all.flatMap(({ started }) => started))).toEqual(numbers(count))
    },
  )

  test(
    'a process that is killed loses nothing, and repeats at most what it held and what it settled last',
    { timeout: 90_000 },
    async () => {
      await using transport = kafkaFromUrl(url)
      const [queue, topic, count] = [newName('queue'), newName('topic'), 2_000]
      await transport.declare([spec(queue, topic)])
      await transport.publish(numbered(topic, count))
      const killed = startConsumer(url, queue, topic, 10)
      await killed.until(600)
      const end = performance.now()
      await killed.kill('SIGKILL')
      const heir = startConsumer(url, queue, topic, 0)
      const before = new Set(killed.ended)
      const missing = numbers(count).filter((n) => !before.has(n))
      const seen = new Set<number>()
      while (!missing.every((n) => seen.has(n))) {
        await heir.until(heir.ended.length + 1)
        for (const n of heir.ended) seen.add(n)
      }
      await heir.kill('SIGTERM')
      const repeated = heir.ended.filter((n) => before.has(n))
      // Half a second is the interval of commits; the rest is the time that a commit and a line of output take.
      const late = killed.times.filter((time) => time > end - 1_000).length
      expect(repeated.length, `${repeated.length} repeated, ${late} of them late`).toBeLessThanOrEqual(late)
      expect(new Set([...killed.ended, ...heir.ended]).size).toBe(count)
      expect(heir.ended.length, 'the heir itself repeated something').toBe(new Set(heir.ended).size)
    },
  )
})
