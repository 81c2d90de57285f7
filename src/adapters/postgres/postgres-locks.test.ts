import { expect, onTestFinished, test } from 'vitest'
import { handOn, newSchema } from '../../../test/postgres/database.ts'
import { describeWithServer } from '../../../test/servers/describe-with-server.ts'
import { systemClock } from '../../clock/clock.ts'
import { testLocks } from '../../conformance/index.ts'
import type { Locks } from '../../contract/locks.ts'
import { openPool } from './pool.ts'
import { postgresLocks } from './index.ts'
import { PostgresLocks } from './postgres-locks.ts'

for (const server of ['postgres', 'postgres-pooled'] as const) {
  await describeWithServer(server, (url) => {
    const locks = (name: string): Locks => postgresLocks({ connectionString: url, schema: 'stores', name })
    testLocks(server, {
      open: locks,
      reopen: locks,
      processes: {
        module: new URL('../../../test/processes/postgres-locks.ts', import.meta.url),
        place: () => url,
      },
    })
  })
}

await describeWithServer('postgres', (url) => {
  /** Locks without renewal, as holders that were killed leave them. */
  async function driverIn(schema: string, name = 'default'): Promise<PostgresLocks> {
    const { pool, close } = await openPool({ connectionString: url }, 4)
    onTestFinished(close)
    return new PostgresLocks(
      { connect: { pool }, where: 'Postgres', schema, migrate: 'auto' },
      name,
      systemClock,
    )
  }

  test('who comes late to a free lock has a higher token than all who had it before he came', async () => {
    const schema = newSchema()
    const hand = handOn(url)
    const driver = await driverIn(schema)
    const turn = JSON.stringify(['millrace lock', schema, 'default', 'a'])
    const waiting = `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
      AND (classid::bigint << 32 | objid::bigint) = hashtextextended($1, 0)`
    await driver.take('b', 1_000)
    const [late, early] = await hand.during(
      `SELECT pg_advisory_xact_lock(hashtextextended('${turn}', 0))`,
      async () => {
        const taking = driver.take('a', 60_000)
        await expect.poll(() => hand.query(waiting, [turn]), { timeout: 10_000 }).toHaveLength(1)
        return [taking, await driver.take('c', 1_000)] as const
      },
    )
    expect(early).toEqual({ token: 2 })
    expect(await late).toEqual({ token: 3 })
  })

  test('locks of holders that were killed leave the table', async () => {
    const schema = newSchema()
    const hand = handOn(url)
    const driver = await driverIn(schema)
    await driver.take('held', 60_000)
    await hand.query(`INSERT INTO ${schema}.locks (space, name, ends)
      SELECT 'default', int4send(n), now() - interval '1 s' FROM generate_series(1, 50) n`)
    const later = await driverIn(schema, 'another')
    await later.take('a', 60_000)
    await later.close()
    expect(await hand.query(`SELECT space FROM ${schema}.locks ORDER BY 1`)).toEqual([
      { space: 'another' },
      { space: 'default' },
    ])
  })

  test('a lock whose holder was killed is taken where it lies, with a higher token', async () => {
    const schema = newSchema()
    const driver = await driverIn(schema)
    const first = await driver.take('a', 60_000)
    expect(await driver.take('a', 60_000)).toEqual({ heldFor: expect.closeTo(60_000, -4) })
    await handOn(url).query(`UPDATE ${schema}.locks SET ends = now()`)
    const second = await driver.take('a', 60_000)
    expect([first, second]).toEqual([{ token: 1 }, { token: expect.any(Number) }])
    expect((second as { token: number }).token).toBeGreaterThan(1)
    expect(await driver.extend('a', 1, 60_000)).toBe(false)
    await driver.release('a', 1)
    expect(await driver.take('a', 60_000)).toEqual({ heldFor: expect.any(Number) })
  })
})
