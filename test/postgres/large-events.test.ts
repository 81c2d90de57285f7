import { expect, test } from 'vitest'
import { numbers } from '../../src/conformance/harness.ts'
import type { Received, Session } from '../../src/contract/transport.ts'
import { textOf } from '../../src/event/payload.ts'
import type { Transport } from '../../src/index.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { event, newSchema, open, sessionOn, spec } from './database.ts'

const mebibyte = 1024 * 1024
const most = 32

/** Events of 1 MiB whose data begins with their number, of some keys. */
const large = (n: number, key?: string) =>
  event(`${n} `.padEnd(mebibyte - 2, 'x'), { id: `${n}`, ...(key !== undefined && { key }) })
const numberOf = ({ data }: Received): number => Number.parseInt(textOf(data).slice(1), 10)

async function publishLarge(
  transport: Transport,
  count: number,
  keyOf?: (n: number) => string,
): Promise<void> {
  for (let n = 0; n < count; n += 20) {
    await transport.publish(numbers(20).map((i) => large(n + i, keyOf?.(n + i))))
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
})
