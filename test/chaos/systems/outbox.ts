import type { ProxiedServer } from '../../servers/server.ts'
import { proxiedServer } from '../../servers/servers.ts'
import { databaseOn } from './postgres.ts'
import { sqlite } from './sqlite.ts'
import type { ChaosSystem, RunningSystem } from './system.ts'

/** Published in transactions of a server of its own, and relayed to a file. */
export const outbox: ChaosSystem = {
  ...sqlite,
  name: 'outbox',
  async start(folder) {
    const server = await proxiedServer('postgres')
    await server.start()
    return outboxOn(server, folder)
  },
}

/** An outbox on a server that runs. */
export async function outboxOn(server: ProxiedServer, folder: string): Promise<RunningSystem> {
  const { url } = await sqlite.start(folder)
  const database = databaseOn(server, folder)
  return { ...database, url, outbox: database.url }
}
