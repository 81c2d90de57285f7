import type { Store } from '../../contract/store.ts'

/*
 * What a case and its processes say to each other. A process gets its setup as its argument and writes a line of JSON for each thing
 * that happens, at once, so that what it did is known even of a process that was killed.
 */

/** The module that a process imports. */
export interface StoreModule {
  /** The store of this name on the system at `place`. */
  open(place: string, name: string): Store | Promise<Store>
}

export interface StoreProcessSetup {
  readonly module: string
  readonly place: string
  readonly name: string
  /** count: counts up the entry `count`, and says each. claim: puts the keys 0, 1, ... if they are absent, and says which it did. */
  readonly does: 'count' | 'claim'
  readonly times: number
}

export interface StoreLine {
  readonly what: 'ready' | 'did' | 'end'
  readonly n?: number
}
