import { setTimeout as sleep } from 'node:timers/promises'
import type { Overload, Path } from '../path.ts'

export const systems = ['memory', 'sqlite', 'postgres', 'kafka'] as const

type Own = Pick<Path, 'about' | 'handle' | 'load'> & Partial<Path>

/** A path on the system, of which only its own has to be said. Memory keeps up to 512 MiB of events; the others have them elsewhere. */
export function pathOn(system: Path['system'], what: string, own: Own): Path {
  const memory = system === 'memory' ? { heap: 1_280, ceiling: 1_600 } : { heap: 512, ceiling: 900 }
  const counted = system === 'postgres' ? 1_000_000 : Infinity
  return { name: `${system}.${what}`, system, ...memory, counted, told: [], queue: {}, ...own }
}

/** What is told where more is published than handled. */
export function toldWhenFull(system: Path['system']): Path['told'] {
  return system === 'memory' ? ['STORE_FULL'] : []
}

/** A handler that is slower than any producer, until the load is over. */
export async function slow(overload: Overload, ms = 50): Promise<void> {
  if (!overload.over.aborted) await sleep(ms)
}
