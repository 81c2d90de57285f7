import { setTimeout as sleep } from 'node:timers/promises'
import { Pool, type PoolClient } from 'pg'
import { postgres } from '../../src/adapters/postgres/index.ts'
import type { Transport } from '../../src/index.ts'
import { transportFromUrl } from '../../src/url.ts'
import type { Task } from './begin.ts'
import { isExhausted } from './marks.ts'

const lookEvery = 20

/** The transport of a process: on Postgres over a pool of the user's, whose own code now and then takes all of its connections. */
export async function transportOf({ url, folder, hasPool }: Task): Promise<Transport> {
  if (!hasPool) return transportFromUrl(url)
  const pool = new Pool({ connectionString: url, allowExitOnIdle: true })
  pool.on('error', () => undefined)
  void exhaustWhenTold(pool, folder)
  return postgres({ pool }) as Transport
}

async function exhaustWhenTold(pool: Pool, folder: string): Promise<never> {
  for (;;) {
    await sleep(lookEvery, undefined, { ref: false })
    if (isExhausted(folder)) await exhaust(pool, folder)
  }
}

/** Takes what it can get, and whatever comes free, until the mark is gone. */
async function exhaust(pool: Pool, folder: string): Promise<void> {
  const taken: PoolClient[] = []
  let over = false
  const take = async (): Promise<void> => {
    const client = await pool.connect().catch(() => undefined)
    if (client === undefined) return
    // The server may be stopped meanwhile.
    client.on('error', () => undefined)
    if (over) client.release()
    else taken.push(client)
  }
  for (let i = 0; i < pool.options.max; i++) void take()
  while (isExhausted(folder)) await sleep(lookEvery)
  over = true
  for (const client of taken) client.release(true)
}
