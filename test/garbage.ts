import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Others collect in ways of their own, or do not let themselves be asked. */
export const canCollect = process.versions['bun'] === undefined && process.versions['deno'] === undefined

/** With `minor` only what is young. All that is left after the other kind is old. */
export function collect(type: 'minor' | 'major'): void {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as (options: { readonly type: 'minor' | 'major' }) => void
  gc({ type })
}

/** Bytes by which what is old grew while `work` was done, which calls `look` now and then. */
export async function grownOld(work: (look: () => void) => unknown): Promise<number> {
  const sizes: number[] = []
  await work(() => {
    collect('minor')
    const spaces = getHeapSpaceStatistics().filter(({ space_name }) => !space_name.startsWith('new_'))
    sizes.push(spaces.reduce((sum, { space_used_size }) => sum + space_used_size, 0))
  })
  // It falls when there is a major collection.
  return Math.max(...sizes) - Math.min(...sizes)
}
