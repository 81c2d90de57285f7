import type { Locks } from '../../contract/locks.ts'

/*
 * What a case and its processes say to each other. A process gets its setup as its argument and commands as lines of its standard
 * input, and writes a line of JSON for each thing that happens, at once, so that what it did is known even of a process that was killed.
 */

/** The module that a process imports. */
export interface LocksModule {
  /** The locks of this name on the system at `place`. */
  open(place: string, name: string): Locks | Promise<Locks>
}

export interface LocksProcessSetup {
  readonly module: string
  readonly place: string
  readonly name: string
  /** In milliseconds. */
  readonly ttl: number
}

/** take: waits for the lock and holds it. drop: releases it. turns: takes and drops it so often. step: the wall clock jumps. */
export type LocksCommand = 'take' | 'drop' | `turns ${number}` | `step ${number}`

export interface LocksLine {
  readonly what: 'ready' | 'in' | 'out' | 'lost' | 'end'
  /** Milliseconds by the machine's monotonic clock: of `in`, after the lock was taken; of `out`, before it is released. */
  readonly at: number
  readonly token?: number
}
