import { expect, test } from 'vitest'
import { numbers } from '../../src/conformance/harness.ts'
import type { Received, Session, Settlement } from '../../src/contract/transport.ts'
import { textOf } from '../../src/event/payload.ts'
import type { Transport } from '../../src/index.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { event, handOn, newSchema, open, sessionOn, spec } from './database.ts'

const mebibyte = 1024 * 1024
const most = 32
const hour = 3_600_000

/** Events of 1 MiB whose data begins with their number, of some keys. */
const large = (n: number, key?: string) =>
  event(`${n} `.padEnd(mebibyte - 2, 'x'), key === undefined ? {} : { key })
const numberOf = ({ data }: Received): number => Number.parseInt(textOf(data).slice(1), 10)

async function publishLarge(
  transport: Transport,
  count: number,
  keyOf?: (n: number) => string,
): Promise<void> {
  for (let n = 0; n < count; n += 20) {
    await transport.publish(numbers(Math.min(20, count - n)).map((i) => large(n + i, keyOf?.(n + i))))
  }
}

/** Takes all, acknowledging each batch with the next claim. */
async function takeAll(session: Session, count: number): Promise<readonly (readonly number[])[]> {
  const batches: number[][] = []
  let received: readonly Received[] = []
  for (let left = count; left > 0; left -= received.length) {
    const settle = received.map((of) => ({ of, as: 'ack' as const }))
    received = (await session.exchange({ settle, max: 128 })).received
    batches.push(received.map(numberOf))
    if (received.length === 0) await session.ready(AbortSignal.timeout(10_000))
  }
  await session.settle(received.map((of) => ({ of, as: 'ack' })))
  return batches
}

await describeWithServer('postgres', (url) => {
  test.each([
    [200, false],
    [100, true],
  ])(
    '%i events of 1 MiB come 32 MiB at a time, in their order (by key: %s)',
    { timeout: 120_000 },
    async (count, order) => {
      const transport = open(url, newSchema())
      await transport.declare([spec('q', { order })])
      await publishLarge(transport, count, (n) => `k${n % 7}`)
      const batches = await takeAll(await sessionOn(transport, 'q', 30_000, order), count)
      expect(Math.max(...batches.map(({ length }) => length))).toBe(most)
      expect(batches.flat()).toEqual(numbers(count))
      expect(await transport.admin.queues()).toMatchObject([{ depth: 0, inFlight: 0 }])
    },
  )

  test.each([
    { due: 60, ready: 60, takes: [16, 16] },
    { due: 60, ready: 8, takes: [24, 8] },
    { due: 8, ready: 60, takes: [8, 24] },
  ])(
    '$due retries and $ready new events do not wait for each other',
    { timeout: 60_000 },
    async ({ due, ready, takes }) => {
      const transport = open(url, newSchema())
      await transport.declare([spec('q')])
      const session = await sessionOn(transport, 'q')
      await publishLarge(transport, due)
      const failed: Received[] = []
      while (failed.length < due)
        failed.push(...(await session.exchange({ settle: [], max: due - failed.length })).received)
      await session.settle(failed.map((of) => ({ of, as: 'retry' })))
      await publishLarge(transport, ready)
      const { received } = await session.exchange({ settle: [], max: 128 })
      expect([2, 1].map((attempt) => received.filter((one) => one.attempt === attempt).length)).toEqual(takes)
    },
  )

  const kept =
    'what was kept back ends there too, by all that is read of an event, and the rest of it comes next'
  test(kept, { timeout: 60_000 }, async () => {
    const schema = newSchema()
    const hand = handOn(url)
    const transport = open(url, schema)
    await transport.declare([spec('q', { order: true })])
    const session = await sessionOn(transport, 'q', 30_000, true)
    const keysOf = async (settle: readonly Settlement[], max: number): Promise<readonly string[]> =>
      (await session.exchange({ settle, max })).received.map(({ key }) => key!)
    await keysOf([], 1)
    await transport.publish([event(1, { key: 'kept' })])
    const [first] = (await session.exchange({ settle: [], max: 1 })).received
    await session.settle([{ of: first!, as: 'retry', delay: hour, park: true }])
    // The data of 32 alone is less than 32 MiB.
    const almost = (key: string) => event('x'.repeat(mebibyte - 200), { key, subject: 's'.repeat(1_000) })
    await transport.publish(numbers(20).map(() => almost('kept')))
    await transport.publish(numbers(20).map(() => almost('kept')))
    expect(await keysOf([], 128)).toEqual([])
    await hand.query(`UPDATE ${schema}.messages SET due = now() WHERE id = $1`, [first!.id])
    const again: Received[] = []
    await expect
      .poll(async () => again.push(...(await session.exchange({ settle: [], max: 1 })).received))
      .toBe(1)
    await transport.publish(numbers(20).map((n) => almost(`other${n}`)))
    const batch = await keysOf([{ of: again[0]!, as: 'ack' }], 128)
    expect(batch).toEqual(numbers(most).map(() => 'kept'))
    expect((await keysOf([], 128)).filter((key) => key === 'kept')).toHaveLength(8)
  })
})
