import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { asPostgres, giveToPostgres } from './postgres-user.ts'
import { answers } from './postgres.ts'
import { ServerMissing, type ServerKind } from './server.ts'

/** PgBouncer before a PostgreSQL, in transaction mode: what a client sets in its session, LISTEN too, is lost to it. */
export function postgresPooled(urlBehind: () => Promise<string>): ServerKind {
  const kind: ServerKind = {
    name: 'postgres-pooled',
    ports: 1,

    async install() {
      await urlBehind()
      // Debian's package puts it where only root has it on PATH.
      const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']
      const folder = folders.find((candidate) => existsSync(join(candidate, 'pgbouncer')))
      if (folder === undefined) {
        throw new ServerMissing('PgBouncer is not installed (on Debian: apt-get install pgbouncer)')
      }
      return folder
    },

    async command({ installed, data, ports: [port] }) {
      const file = join(data, 'pgbouncer.ini')
      await writeFile(file, settings(new URL(await urlBehind()), port as number))
      await giveToPostgres(data)
      return asPostgres(join(installed, 'pgbouncer'), file)
    },

    url: ([port]) => `postgres://postgres@127.0.0.1:${port}/postgres`,

    ready: (ports) => answers(kind.url(ports)),
  }
  return kind
}

/** Whoever comes is let in, and is the user of that URL in its database. */
function settings({ hostname, port, username, password, pathname }: URL, ownPort: number): string {
  const behind = { host: hostname, port, user: username, password, dbname: pathname.slice(1) }
  const parts = Object.entries(behind)
    .filter(([, value]) => value !== '')
    .map(([key, value]) => `${key}='${decodeURIComponent(value).replaceAll("'", "''")}'`)
  return `
[databases]
postgres = ${parts.join(' ')}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${ownPort}
unix_socket_dir =
auth_type = any
pool_mode = transaction
`
}
