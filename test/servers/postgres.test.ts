import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Client, type QueryResultRow } from 'pg'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { root } from '../imports.ts'
import { describeWithPrivateServer, describeWithServer } from './describe-with-server.ts'
import { findPostgres } from './postgres.ts'
import { ServerMissing } from './server.ts'
import { serverFor } from './servers.ts'

/** A client whose server may go at any time. What it is told then is in `farewells`. */
async function connect(url: string) {
  const client = new Client({ connectionString: url })
  const farewells: string[] = []
  const gone = new Promise<void>((resolve) => client.once('end', resolve))
  client.on('notice', ({ message = '' }) => farewells.push(message))
  client.on('error', ({ message }) => farewells.push(message))
  await client.connect()
  return { client, farewells, gone, [Symbol.asyncDispose]: () => client.end() }
}

async function rowsOf(url: string, sql: string): Promise<readonly QueryResultRow[]> {
  await using connection = await connect(url)
  return (await connection.client.query(sql)).rows
}

/** Resolves when some client's query is running that keeps its process busy for hours. */
async function untilBusy(url: string): Promise<void> {
  const running = `select from pg_stat_activity where state = 'active' and query like '%busy%' and pid <> pg_backend_pid()`
  await expect.poll(() => rowsOf(url, running), { timeout: 10_000 }).toHaveLength(1)
}

const busy = 'select count(*) as busy from generate_series(1, 1000000000) a, generate_series(1, 1000000000) b'

await describeWithServer('postgres', (url) => {
  test('keeps what was committed, on the disk', async () => {
    const on = `select name from pg_settings where setting = 'on'`
    const names = (await rowsOf(url, on)).map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(['fsync', 'full_page_writes', 'synchronous_commit']))
  })

  test('tells who listens', async () => {
    await using listener = await connect(url)
    const notified = once(listener.client, 'notification')
    await listener.client.query('listen servers')
    await rowsOf(url, `notify servers, 'a'`)
    expect(await notified).toMatchObject([{ channel: 'servers', payload: 'a' }])
  })

  test('does not outlive a killed owner, busy or not', { timeout: 30_000 }, async () => {
    const program = `
      import { privateServer } from './test/servers/servers.ts'
      const server = await privateServer('postgres')
      await server.start()
      console.log(JSON.stringify({ url: server.url, log: server.log }))
      setInterval(() => {}, 1_000)`
    const owner = spawn(process.execPath, ['--input-type=module', '--eval', program], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await once(createInterface(owner.stdout), 'line')) as [string]
    const its = JSON.parse(line) as { readonly url: string; readonly log: string }
    const { client, gone } = await connect(its.url)
    const answer = expect(client.query(busy)).rejects.toThrow()
    await untilBusy(its.url)
    owner.kill('SIGKILL')
    await Promise.all([answer, gone])
    // It is removed when the last process is gone.
    await expect.poll(() => existsSync(its.log.replace(/\.log$/, '')), { timeout: 10_000 }).toBe(false)
    await rm(its.log)
  })

  test('is the same for everyone in the run', async () => {
    expect(await Promise.all([serverFor('postgres'), serverFor('postgres')])).toEqual([{ url }, { url }])
  })
})

await describeWithPrivateServer('postgres', (server) => {
  test.each([
    ['SIGKILL', ['Connection terminated unexpectedly']],
    // A backend tells if it gets to it.
    [
      'SIGQUIT',
      ['terminating connection due to immediate shutdown command', 'Connection terminated unexpectedly'],
    ],
    ['SIGTERM', ['terminating connection due to administrator command']],
  ] as const)('keeps port and data when stopped with %s', async (signal, known) => {
    const table = `kept_${signal}`
    await rowsOf(server.url, `create table ${table} (value text)`)
    const { client, farewells, gone } = await connect(server.url)
    await client.query(`insert into ${table} values ('before')`)
    await server.stop(signal)
    await gone
    expect(known).toContain(farewells[0])
    await expect(connect(server.url)).rejects.toThrow('ECONNREFUSED')
    await server.start()
    await rowsOf(server.url, `insert into ${table} values ('after')`)
    expect(await rowsOf(server.url, `select value from ${table}`)).toEqual([
      { value: 'before' },
      { value: 'after' },
    ])
  })

  test.each(['SIGKILL', 'SIGQUIT', 'SIGTERM'] as const)(
    'is gone with all that is busy after %s',
    async (signal) => {
      const { client, gone } = await connect(server.url)
      const answer = expect(client.query(busy)).rejects.toThrow()
      await untilBusy(server.url)
      await server.stop(signal)
      await Promise.all([answer, gone])
      await server.start()
    },
  )
})

describe('PostgreSQL on this machine', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-test-'))
    vi.stubEnv('PATH', folder)
  })
  afterEach(async () => {
    vi.unstubAllEnvs()
    await rm(folder, { recursive: true })
  })

  /** It stands in for a PostgreSQL that cannot be had here, as far as that says its version. */
  async function pretend(bin: string, version: string): Promise<void> {
    await mkdir(bin, { recursive: true })
    await writeFile(join(bin, 'postgres'), `#!/bin/sh\necho 'postgres (PostgreSQL) ${version} (Debian)'`)
    await chmod(join(bin, 'postgres'), 0o700)
  }

  test('is the one on PATH, else the newest that is packaged', async () => {
    const packaged = join(folder, 'packaged')
    for (const version of ['15', '101', '16']) await pretend(join(packaged, version, 'bin'), `${version}.2`)
    const newest = { programs: join(packaged, '101', 'bin'), version: '101.2' }
    expect(await findPostgres(packaged)).toEqual(newest)
    await pretend(folder, '15.18')
    expect(await findPostgres(packaged)).toEqual({ programs: folder, version: '15.18' })
  })

  test('is refused when it is too old', async () => {
    await pretend(folder, '14.9')
    const refused = findPostgres()
    await expect(refused).rejects.toBeInstanceOf(ServerMissing)
    await expect(refused).rejects.toThrow('PostgreSQL 14.9 is too old (it takes version 15 or newer')
  })

  test('is missing when it is nowhere', async () => {
    const missing = findPostgres(join(folder, 'nothing'))
    await expect(missing).rejects.toBeInstanceOf(ServerMissing)
    await expect(missing).rejects.toThrow('PostgreSQL is not installed')
  })
})
