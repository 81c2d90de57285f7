import type { Store } from '../../contract/store.ts'

/** Adds one to a number under a key, over and over until nobody came between. */
export async function countUp(store: Store, key: string): Promise<void> {
  for (;;) {
    const entry = await store.get(key)
    if (entry === undefined) throw new Error(`${key} is not there`)
    const next = String(Number(entry.value) + 1)
    if ((await store.put(key, next, { ifVersion: entry.version })).stored) return
  }
}
