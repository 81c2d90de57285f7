import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'pg'
import type { ProxiedServer } from '../../servers/server.ts'
import { proxiedServer } from '../../servers/servers.ts'
import { beginExhaustion, endExhaustion } from '../marks.ts'
import type { ChaosSystem, RunningSystem } from './system.ts'

/** A server of its own, behind a proxy that comes between it and everybody. */
export const postgres: ChaosSystem = {
  name: 'postgres',
  lease: 2_000,
  settling: 0,
  retryClock: 'monotonic',
  pace: 2_000,
  hasPool: true,
  async start(folder) {
    const server = await proxiedServer('postgres')
    await server.start()
    return databaseOn(server, folder)
  },
}

/** How often connections are ended at random, while that goes on, in milliseconds. */
const between = 50

/** A server that runs. */
export function databaseOn(server: ProxiedServer, folder: string): RunningSystem {
  const restart = (signal: 'SIGTERM' | 'SIGQUIT' | 'SIGKILL') => async (ms: number) => {
    await server.stop(signal)
    await sleep(ms)
    await server.start()
  }
  const interrupt = (begin: () => void) => async (ms: number) => {
    begin()
    await sleep(ms)
    server.proxy.resume()
  }
  /** On a connection of nobody who is watched. */
  const beside = async (work: (client: Client) => Promise<unknown>): Promise<void> => {
    const client = new Client({ connectionString: server.url })
    await client.connect()
    try {
      await work(client)
    } finally {
      await client.end()
    }
  }
  return {
    url: server.url,
    disturbances: {
      'stopped and started': restart('SIGTERM'),
      'stopped at once and started': restart('SIGQUIT'),
      'killed and started': restart('SIGKILL'),
      'cut off': interrupt(() => server.proxy.cut()),
      'half-open': interrupt(() => server.proxy.stall()),
      'connections ended': (ms) =>
        beside(async (client) => {
          const end = performance.now() + ms
          for (; performance.now() < end; await sleep(between)) {
            await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
              WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND random() < 0.2`)
          }
        }),
      'pools exhausted by their users': async (ms) => {
        beginExhaustion(folder)
        await sleep(ms)
        endExhaustion(folder)
        await sleep(between)
      },
      'a transaction open, and all events locked': (ms) =>
        beside(async (client) => {
          await client.query('BEGIN')
          await client.query('SELECT pg_current_xact_id()')
          await client.query('SELECT 1 FROM millrace.messages FOR UPDATE')
          await sleep(ms)
          await client.query('ROLLBACK')
        }),
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
