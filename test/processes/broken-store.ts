import { sqliteStore } from '../../src/adapters/sqlite/index.ts'
import type { Store } from '../../src/contract/store.ts'
import { brokenStore, inTwoSteps } from '../sabotage/broken-store.ts'

/** Ways in which a store can break its word between processes; `open('FLAW:PATH', name)` gives sqlite's with one of them. */
export const flaws: Readonly<Record<string, (inner: Store) => Partial<Store>>> = {
  none: () => ({}),
  'looks first and writes a moment later': inTwoSteps,
  'resolves a put before the system has it': (inner) => ({
    async put(key, value, options) {
      if (options?.ifVersion === undefined) return await inner.put(key, value, options)
      // Whoever is killed meanwhile never learns what became of it: that is the flaw.
      setTimeout(() => void inner.put(key, value, options).catch(() => {}), 20)
      return { stored: true, version: '0' }
    },
  }),
}

export function open(place: string, name: string): Store {
  const at = place.indexOf(':')
  return brokenStore(sqliteStore({ path: place.slice(at + 1), name }), flaws[place.slice(0, at)]!)
}
