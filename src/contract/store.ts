import type { Duration } from '../clock/duration.ts'
import type { Raw } from '../event/payload.ts'

/*
 * What remembers things by key: deduplication, joins, caches. These comments are the specification; `testStore` of
 * `millrace/conformance` tests them. Checks, closing and signals live once, in `storeOn`; a system implements a `StoreDriver`.
 */

/** What a store promises, each a fact about the system as configured. */
export interface StoreFeatures {
  /** What a resolved call has survived: nothing but this process, the death of this process, a power cut, the loss of a server. */
  readonly durable: 'memory' | 'process' | 'fsync' | 'replicated'
  /**
   * Whether a condition is looked at and the change made in one step, which nothing comes between, in whichever process.
   * false: there are no conditions (UNSUPPORTED), and the last write stands.
   */
  readonly atomic: boolean
  /** Whose clock decides when a `ttl` is over. */
  readonly clock: 'process' | 'machine' | 'server'
  /** An entry is there until its `ttl` is over, and at most this much longer, in milliseconds. */
  readonly ttlResolution: number
  /** The largest value in bytes; of text, as UTF-8. */
  readonly maxBytes: number
  /** Whether several processes can share it. */
  readonly processes: boolean
}

/** What stands under a key. */
export interface Entry {
  /** Text as text and bytes as bytes, as they were put. The bytes are the caller's own. */
  readonly value: Raw
  /**
   * Names this state of the entry, in the system's own words: to be compared and given back, nothing else. Each put makes another,
   * and a key never has one twice, also after it was deleted or its time was over.
   */
  readonly version: string
}

interface CallOptions {
  /**
   * Aborted beforehand: ABORTED, and nothing is done. Aborted later: ABORTED at once; whether the change is made, nobody can
   * tell then.
   */
  readonly signal?: AbortSignal
}

/** A condition, one at most. On a store that is not `features.atomic` it is UNSUPPORTED. */
export type PutOptions = CallOptions & {
  /** How long the entry stays. More than 0. Default: until it is deleted, also if it had a ttl before. */
  readonly ttl?: Duration
} & (
    | { /** Only if nothing stands under the key. */ readonly ifAbsent?: boolean; readonly ifVersion?: never }
    | { /** Only over the entry of this version. */ readonly ifVersion?: string; readonly ifAbsent?: never }
  )

/** Whether the value is there now. If not, the condition was not met, and nothing was changed. */
export type PutResult =
  | { readonly stored: true; readonly version: string }
  | {
      readonly stored: false
      /** What stands there instead, if the system tells it in the same step and there is something. Else `get` does. */
      readonly current?: Entry | undefined
    }

export interface TouchOptions extends CallOptions {
  /** Only the entry of this version. */
  readonly ifVersion?: string
}

export interface DeleteOptions extends CallOptions {
  /** Only the entry of this version. */
  readonly ifVersion?: string
}

/**
 * Values under keys, shared by all that have the store open. Keys are text of 1 to 512 bytes as UTF-8 and equal only if each
 * character is (INVALID_KEY); values are bytes or well-formed text (INVALID_VALUE, VALUE_TOO_LARGE). After its `ttl` an entry is
 * as if it had never been, for each call, whether the system has removed it or not. Calls reject with the codes above, with STOPPED
 * after `close`, or with what the system says; then it is not known whether a change was made.
 */
export interface Store extends AsyncDisposable {
  /** Its name for people and metrics: `memory`, `sqlite`, `postgres`. */
  readonly system: string
  readonly features: StoreFeatures
  get(key: string, options?: CallOptions): Promise<Entry | undefined>
  /** Resolves when the value is as safe as `features.durable` says. The value may be changed as soon as the call returned. */
  put(key: string, value: Raw, options?: PutOptions): Promise<PutResult>
  /**
   * Makes the entry stay `ttl` from now, be that longer or shorter than before. Gives the version it has then, which may be
   * another one; undefined: there is no such entry.
   */
  touch(key: string, ttl: Duration, options?: TouchOptions): Promise<string | undefined>
  /** Whether there was such an entry. */
  delete(key: string, options?: DeleteOptions): Promise<boolean>
  /** Everything but closing rejects with STOPPED from then on. What was put stays as `features.durable` says. Idempotent. */
  close(): Promise<void>
}

/** At most one of both, and only where the driver is atomic. */
export interface Condition {
  readonly ifAbsent: boolean
  readonly ifVersion: string | undefined
}

/**
 * What a system implements; `storeOn` makes a store of it. Keys, values and conditions are checked already, times are
 * milliseconds. Calls may overlap. Bytes that come in are the driver's own, those that go out the caller's.
 * Expired entries are removed in small steps, or by the system itself: never in one sweep that others wait for.
 */
export interface StoreDriver {
  readonly system: string
  readonly features: StoreFeatures
  get(key: string): Promise<Entry | undefined>
  put(key: string, value: Raw, ttl: number | undefined, condition: Condition): Promise<PutResult>
  touch(key: string, ttl: number, ifVersion: string | undefined): Promise<string | undefined>
  delete(key: string, ifVersion: string | undefined): Promise<boolean>
  /** Called once, when no call is under way. */
  close(): Promise<void>
}
