import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdtemp, readdir, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { cached } from '../cache.ts'
import { asPostgres, giveToPostgres } from './postgres-user.ts'
import { ServerMissing, type ServerKind } from './server.ts'

/** PostgreSQL as it is when nobody has changed its settings: what was committed is on the disk. */
export const postgres: ServerKind = {
  name: 'postgres',
  ports: 1,
  // SIGTERM would wait for the clients to go.
  orderly: 'SIGINT',
  // Killed, it would leave its shared memory to the system, which allows so many pieces and no more.
  discard: 'SIGQUIT',

  async install() {
    const { programs, version } = await findPostgres()
    return cached(`servers/postgres-${version}`, (folder) => initialize(programs, folder))
  },

  async command({ installed, data, ports: [port] }) {
    const storage = join(data, 'storage')
    if (!existsSync(storage)) {
      await cp(join(installed, 'storage'), storage, { recursive: true })
      await giveToPostgres(data)
    }
    const { programs } = await findPostgres()
    const settings = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=200']
    const options = settings.flatMap((setting) => ['-c', setting])
    return asPostgres(join(programs, 'postgres'), '-D', storage, '-p', String(port), ...options)
  },

  url: ([port]) => `postgres://postgres@127.0.0.1:${port}/postgres`,

  ready: (ports) => answers(postgres.url(ports)),
}

/** Resolves if a query is answered. */
export async function answers(url: string): Promise<void> {
  const { Client } = await import('pg')
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 1_000 })
  try {
    await client.connect()
    await client.query('select')
  } finally {
    await client.end()
  }
}

const oldest = 15
const remedy = `it takes version ${oldest} or newer; on Debian: apt-get install postgresql`

/** Where the programs are: on PATH, else in the newest folder of Debian's packages, which put none of them there. */
export async function findPostgres(
  packaged = '/usr/lib/postgresql',
): Promise<{ readonly programs: string; readonly version: string }> {
  const onPath = (process.env['PATH'] ?? '').split(delimiter)
  const versions = existsSync(packaged) ? await readdir(packaged) : []
  const newestFirst = versions.toSorted((a, b) => Number(b) - Number(a))
  const folders = [...onPath, ...newestFirst.map((version) => join(packaged, version, 'bin'))]
  const folder = folders.find((candidate) => existsSync(join(candidate, 'postgres')))
  if (folder === undefined) throw new ServerMissing(`PostgreSQL is not installed (${remedy})`)
  const program = await realpath(join(folder, 'postgres'))
  // It prints `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
  const { stdout } = await promisify(execFile)(program, ['--version'])
  const version = /\(PostgreSQL\) (\S+)/.exec(stdout)?.[1] ?? stdout
  if (Number.parseInt(version, 10) < oldest) {
    throw new ServerMissing(`PostgreSQL ${version} is too old (${remedy})`)
  }
  return { programs: dirname(program), version }
}

/** Makes the folder `storage` in `folder`. It takes a second: done once per version, then copied for every server. */
async function initialize(programs: string, folder: string): Promise<void> {
  // Not in the cache itself, which only root may enter where root runs the tests.
  const place = await mkdtemp(join(tmpdir(), 'millrace-initdb-'))
  try {
    await giveToPostgres(place)
    const storage = join(place, 'storage')
    const options = ['--username=postgres', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync']
    const [command, ...more] = asPostgres(join(programs, 'initdb'), '-D', storage, ...options)
    await promisify(execFile)(command, more, { cwd: place })
    await cp(storage, join(folder, 'storage'), { recursive: true })
  } finally {
    await rm(place, { recursive: true })
  }
}
