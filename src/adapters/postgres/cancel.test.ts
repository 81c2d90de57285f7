import { once } from 'node:events'
import { createServer, Socket, type AddressInfo } from 'node:net'
import { Pool, type PoolConfig } from 'pg'
import { expect, onTestFinished, test } from 'vitest'
import { handOn, newSchema } from '../../../test/postgres/database.ts'
import { describeWithServer } from '../../../test/servers/describe-with-server.ts'
import { certificate, tlsProxy } from '../../../test/servers/tls-proxy.ts'
import { Database } from './database.ts'

/** Runs a statement that would take a minute, and may take a second. Resolves to the error's code. */
async function runTooLong(url: string, config: PoolConfig): Promise<{ code: unknown; left: number }> {
  const name = newSchema()
  const pool = new Pool({ user: 'postgres', database: 'postgres', application_name: name, ...config })
  pool.on('error', () => undefined)
  onTestFinished(() => pool.end())
  const { code } = await new Database(pool, name, 'Postgres', 1_000).rows('SELECT pg_sleep(60)').then(
    () => ({ code: undefined }),
    (error: { code: unknown }) => error,
  )
  const hand = handOn(url)
  const running = `SELECT pid FROM pg_stat_activity WHERE application_name = $1 AND state = 'active'`
  const backends = await hand.query<{ pid: number }>(running, [name])
  for (const { pid } of backends) await hand.query('SELECT pg_terminate_backend($1)', [pid])
  return { code, left: backends.length }
}

/** Somebody else, who counts who comes. */
async function stranger(): Promise<{ readonly port: number; readonly visits: number }> {
  let visits = 0
  const server = createServer((socket) => {
    visits++
    socket.destroy()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  return {
    port: (server.address() as AddressInfo).port,
    get visits() {
      return visits
    },
  }
}

await describeWithServer('postgres', (url) => {
  const { hostname, port } = new URL(url)

  /** A way to the server that has nothing to do with the host and the port that `pg` is told. */
  function wayOfMine(): Socket {
    const socket = new Socket()
    const reach = socket.connect.bind(socket)
    socket.connect = () => reach(Number(port), hostname)
    return socket
  }

  test.each(['postgres', 'direct'] as const)(
    'what takes too long is ended in a server that takes TLS only (%s)',
    async (sslnegotiation) => {
      const ca = await certificate()
      const proxy = await tlsProxy(Number(port))
      onTestFinished(() => proxy.close())
      const config = { host: '127.0.0.1', port: proxy.port, ssl: { ca }, sslnegotiation }
      expect(await runTooLong(url, config)).toEqual({ code: 'STORE_BUSY', left: 0 })
    },
  )

  test('the server is asked to end what takes too long by the streams that the user makes', async () => {
    const other = await stranger()
    const config = { host: '127.0.0.1', port: other.port, stream: wayOfMine }
    expect(await runTooLong(url, config)).toEqual({ code: 'STORE_BUSY', left: 0 })
    expect(other.visits).toBe(0)
  })

  test('nobody is asked where the user has made one stream: there is no other way to the server', async () => {
    const other = await stranger()
    const config = { host: '127.0.0.1', port: other.port, stream: wayOfMine() as unknown as () => Socket }
    expect(await runTooLong(url, config)).toEqual({ code: 'CONNECTION_LOST', left: 1 })
    expect(other.visits).toBe(0)
  }, 15_000)

  test('a way to the server that fails when it is to be ended is told as one that was lost', async () => {
    let ways = 0
    const stream = (): Socket => {
      if (++ways > 1) throw new Error('no more of them')
      return wayOfMine()
    }
    expect(await runTooLong(url, { stream })).toEqual({ code: 'CONNECTION_LOST', left: 1 })
    expect(ways).toBeGreaterThan(1)
  }, 15_000)
})
