import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Pool } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { memory } from '../../src/adapters/memory/index.ts'
import { postgres } from '../../src/adapters/postgres/index.ts'
import { millrace, type MillraceEvent } from '../../src/index.ts'
import { describeWithPrivateServer } from '../servers/describe-with-server.ts'
import { publishAll, startRelay, Witness } from './witness.ts'

const keys = 20
/** What a relay holds at most: one batch on its way, and one behind it. */
const held = 2 * 128

await describeWithPrivateServer('postgres', (server) => {
  test(
    'relays of an outbox on Postgres that are killed, and their server, and their connections, lose nothing and keep the order by key',
    { timeout: 180_000 },
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'millrace-outbox-'))
      onTestFinished(() => rm(folder, { recursive: true }))
      const target = `sqlite:${join(folder, 'events.db')}`
      const witness = new Witness(target)
      await witness.start()
      const pool = new Pool({ connectionString: server.url, max: 2 })
      pool.on('error', () => undefined)
      onTestFinished(() => pool.end())
      const publisher = millrace({
        transport: memory(),
        outbox: postgres(server.url),
        relay: false,
        logger: false,
      })
      onTestFinished(() => publisher.stop({ timeout: 0 }))

      /** Between two transactions: what becomes of one whose commit gets no answer, nobody knows. */
      let between: Promise<unknown> = Promise.resolve()
      const disturb = (how: () => Promise<unknown>): Promise<unknown> => (between = between.then(how))
      const publish = (events: readonly MillraceEvent[], end: 'COMMIT' | 'ROLLBACK'): Promise<unknown> =>
        disturb(async () => {
          const transaction = await pool.connect()
          await transaction.query('BEGIN')
          await publisher.publish(events, { transaction })
          await transaction.query(end)
          transaction.release()
        })
      const relays = [await startRelay(server.url, target), await startRelay(server.url, target)]
      const replace = async (): Promise<void> => {
        const relay = relays.shift()!
        relay.kill('SIGKILL')
        await once(relay, 'exit')
        relays.push(await startRelay(server.url, target))
      }
      const cut = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()`
      const crash = async (): Promise<void> => {
        await server.stop('SIGQUIT')
        await server.start()
      }
      const disturbances = [
        replace,
        () => disturb(crash),
        replace,
        () => disturb(() => pool.query(cut)),
        replace,
      ]

      const publishing = publishAll(publish, 4_000, keys)
      for (const [i, disturbance] of disturbances.entries()) {
        await witness.seen(500 * (i + 1))
        await disturbance()
      }
      const ids = await publishing
      await witness.seen(ids.length)
      witness.expectAll(ids, keys)
      // Two relays sent again what they had on its way when the server or the connections went.
      expect(witness.arrivals - ids.length).toBeLessThanOrEqual((3 + 2 * 2) * held)
      await expect
        .poll(async () => (await publisher.queues()).find(({ name }) => name === 'millrace.outbox'), {
          timeout: 60_000,
        })
        .toMatchObject({ depth: 0, inFlight: 0, retrying: 0, dead: 0 })
    },
  )
})
