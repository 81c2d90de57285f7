import { setTimeout as sleep } from 'node:timers/promises'
import type { Overload, Path } from '../path.ts'
import { awaited, unawaited } from '../producers.ts'

const small = 256
/** Memory keeps up to 512 MiB of events; the others have them elsewhere. */
export function memoryOf(system: Path['system']): Pick<Path, 'heap' | 'ceiling'> {
  return system === 'memory' ? { heap: 1_280, ceiling: 1_600 } : { heap: 512, ceiling: 900 }
}

const systems = ['memory', 'sqlite', 'kafka'] as const

/** A handler that is slower than any producer, until the load is over. */
export async function slow(overload: Overload, ms = 50): Promise<void> {
  if (!overload.over.aborted) await sleep(ms)
}

export const publishingPaths: readonly Path[] = [
  ...systems.map((system): Path => ({
    name: `${system}.publish`,
    system,
    about: 'a producer that waits for none of its publishes, and handlers that do nothing',
    ...memoryOf(system),
    told: ['PUBLISH_OVERLOADED'],
    queue: {},
    handle: () => undefined,
    load: unawaited(small),
  })),
  ...systems.map((system): Path => ({
    name: `${system}.backlog`,
    system,
    about: '64 publishers that wait for each of their events, and 16 handlers of 50 ms',
    ...memoryOf(system),
    told: system === 'memory' ? ['STORE_FULL'] : [],
    queue: {},
    handle: (_n, overload) => slow(overload),
    load: awaited(small, 64),
  })),
]
