import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { privateServer } from '../servers/servers.ts'
import type { Path } from './path.ts'

/** What a path runs on, for nobody else. */
export interface System extends AsyncDisposable {
  readonly url: string
}

export const startSystem: Readonly<Record<Path['system'], () => Promise<System>>> = {
  memory: async () => ({ url: 'memory:', [Symbol.asyncDispose]: async () => {} }),
  async sqlite() {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-overload-'))
    return {
      url: `sqlite:${join(folder, 'events.db')}`,
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
    }
  },
  postgres: () => startServer('postgres'),
  kafka: () => startServer('kafka'),
}

async function startServer(name: 'postgres' | 'kafka'): Promise<System> {
  const server = await privateServer(name)
  await server.start()
  return { url: server.url, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() }
}
