import { Client } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { channelOf } from '../../src/adapters/postgres/channel.ts'
import { systemClock } from '../../src/clock/clock.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { event, handle, newSchema, open, sessionOn, spec } from './database.ts'

/** Notifications of one process are so far apart, in milliseconds. */
const notifyEvery = 5

await describeWithServer('postgres', (url) => {
  /** Somebody who hears what is notified in the schema, in its order. */
  async function listener(schema: string): Promise<{ heard(): Promise<readonly string[]> }> {
    const client = new Client({ connectionString: url })
    await client.connect()
    onTestFinished(() => client.end())
    const payloads: string[] = []
    client.on('notification', ({ payload = '' }) => payloads.push(payload))
    await client.query(`LISTEN ${channelOf(schema)}`)
    return {
      /** All that was notified so far: what the server has taken comes before what it takes now. */
      async heard() {
        await client.query(`NOTIFY ${channelOf(schema)}, 'last'`)
        await expect.poll(() => payloads.at(-1)).toBe('last')
        return payloads.splice(0).slice(0, -1)
      },
    }
  }

  test('two schemas in one database neither see nor wake each other, though all in them is called the same', async () => {
    const [mine, others] = [newSchema(), newSchema()]
    const [transport, other] = [open(url, mine), open(url, others)]
    for (const one of [transport, other]) await one.declare([spec('q')])
    const [here, there] = [await listener(mine), await listener(others)]
    const publisher = open(url, others)
    await publisher.publish([event(1)])
    // What it has to notify is out then.
    await publisher.close()
    expect(await there.heard()).toHaveLength(1)
    expect(await here.heard()).toEqual([])
    expect(await handle(await sessionOn(transport, 'q'), 1)).toEqual([])
    expect(await handle(await sessionOn(other, 'q'), 1)).toHaveLength(1)
  })

  test('a publish of many events is notified once for each of its queues', async () => {
    const schema = newSchema()
    const transport = open(url, schema)
    await transport.declare([spec('one'), spec('two')])
    const { heard } = await listener(schema)
    await transport.publish(Array.from({ length: 500 }, (_, n) => event(n)))
    await transport.close()
    const payloads = await heard()
    expect(payloads).toHaveLength(2)
    expect(new Set(payloads).size).toBe(2)
  })

  test('many publishes are notified every few milliseconds', async () => {
    const schema = newSchema()
    const transport = open(url, schema)
    await transport.declare([spec('q')])
    const { heard } = await listener(schema)
    const began = systemClock.monotonic()
    await Promise.all(
      Array.from({ length: 8 }, async (_, n) => {
        for (let i = 0; i < 50; i++) await transport.publish([event(`${n} ${i}`)])
      }),
    )
    await transport.close()
    const most = (systemClock.monotonic() - began) / notifyEvery + 2
    const { length } = await heard()
    expect(length).toBeGreaterThan(1)
    expect(length).toBeLessThan(most)
  })

  test('nothing is notified where consumers only look', async () => {
    const schema = newSchema()
    const transport = open(url, schema, { wake: 'interval', pollInterval: '1h' })
    await transport.declare([spec('q', { order: true })])
    const { heard } = await listener(schema)
    await transport.publish([event(1)])
    const session = await sessionOn(transport, 'q', 30_000, true)
    const { received } = await session.exchange({ settle: [], max: 1 })
    await session.settle(received.map((of) => ({ of, as: 'retry' })))
    await transport.close()
    expect(received).toHaveLength(1)
    expect(await heard()).toEqual([])
  })
})
