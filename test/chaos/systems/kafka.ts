import { setTimeout as sleep } from 'node:timers/promises'
import type { ProxiedServer } from '../../servers/server.ts'
import { proxiedServer } from '../../servers/servers.ts'
import type { ChaosSystem, RunningSystem } from './system.ts'

/** A broker of its own, behind a proxy that comes between it and everybody. */
export const kafka: ChaosSystem = {
  name: 'kafka',
  lease: 6_000,
  settling: 4_000,
  retryClock: 'wall',
  pace: 3_000,
  hasPool: false,
  async start() {
    const server = await proxiedServer('kafka')
    await server.start()
    return brokerOn(server)
  },
}

/** A broker that runs. */
export function brokerOn(server: ProxiedServer): RunningSystem {
  const restart = (signal: 'SIGTERM' | 'SIGKILL') => async (ms: number) => {
    await server.stop(signal)
    await sleep(ms)
    await server.start()
  }
  const interrupt = (begin: () => void) => async (ms: number) => {
    begin()
    await sleep(ms)
    server.proxy.resume()
  }
  return {
    url: `${server.url}?partitions=4`,
    disturbances: {
      'stopped and started': restart('SIGTERM'),
      'killed and started': restart('SIGKILL'),
      'cut off': interrupt(() => server.proxy.cut()),
      'half-open': interrupt(() => server.proxy.stall()),
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
