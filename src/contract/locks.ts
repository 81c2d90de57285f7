import type { Duration } from '../clock/duration.ts'

/*
 * Locks between processes. A lock is a lease on a name: its holder renews it while it lives, and it ends by itself when the
 * holder does not. These comments are the specification; `testLocks` of `millrace/conformance` tests them. Waiting, renewal
 * and noticing a loss live once, in `locksOn`; a system implements a `LocksDriver`.
 */

/** What locks promise, each a fact about the system as configured. */
export interface LocksFeatures {
  /** What locks and their tokens survive: nothing but this process, the death of this process, a power cut, the loss of a server. */
  readonly durable: 'memory' | 'process' | 'fsync' | 'replicated'
  /** Whose clock decides when the time of a lock is over. One of this machine does not step. */
  readonly clock: 'process' | 'machine' | 'server'
  /** The shortest `ttl`, in milliseconds. */
  readonly shortestTtl: number
  /** Whether they hold between processes. */
  readonly processes: boolean
}

export interface LockOptions {
  /**
   * How long the lock outlives a holder that died or stands still. Default 30 s. It is renewed each third of that while it is
   * held. Less than `features.shortestTtl` is INVALID_OPTION.
   */
  readonly ttl?: Duration
  /** Ends the call with ABORTED, and nothing is held. It does not end a lock that was taken. */
  readonly signal?: AbortSignal
}

export interface AcquireOptions extends LockOptions {
  /** How long to wait for it. Default: until it is there, or `signal` is aborted. */
  readonly wait?: Duration
}

/**
 * A lock that was taken. Nobody else holds it before `signal` is aborted, unless this process stands still (a blocked event loop, a
 * frozen machine) for longer than `ttl`: what it does then, before it has looked at `signal`, only the `token` can fence off.
 */
export interface Lock extends AsyncDisposable {
  readonly name: string
  /**
   * Higher than that of each who held this name before. To be written with what the lock protects: whoever finds a higher
   * one there has lost the lock.
   */
  readonly token: number
  /**
   * Aborted when the lock is lost, with LOCK_LOST as its reason (STOPPED if the locks were closed); not by `release`. That is a tenth of
   * the ttl, at most 1 s, before others may take it. Reading it looks at the clock, so that after a standstill
   * `lock.signal.throwIfAborted()` throws at once.
   */
  readonly signal: AbortSignal
  /**
   * Makes it last `ttl` from now at least, for when this process is going to stand still; renewal goes on. Rejects with LOCK_LOST if
   * it is not held any more, or with what the system says: then it is as it was.
   */
  extend(ttl: Duration): Promise<void>
  /** Others may take it when this resolves. Of a lock that was lost or released: does nothing, whoever has it. */
  release(): Promise<void>
}

/** Locks by name: text of 1 to 512 bytes as UTF-8 (INVALID_KEY). Who waits gets them in no certain order. */
export interface Locks extends AsyncDisposable {
  /** Its name for people and metrics: `memory`, `sqlite`, `postgres`. */
  readonly system: string
  readonly features: LocksFeatures
  /** Takes the lock, and waits for it as long as somebody has it. After `wait`: LOCK_TAKEN. */
  acquire(name: string, options?: AcquireOptions): Promise<Lock>
  /** Takes the lock if nobody has it, else gives undefined. */
  tryAcquire(name: string, options?: LockOptions): Promise<Lock | undefined>
  /** Releases what is held, ends who waits with STOPPED, and everything but closing rejects with STOPPED from then on. Idempotent. */
  close(): Promise<void>
}

/** The lock was taken, or for how many milliseconds somebody else has it at most, if he does not renew it. */
export type Taken = { readonly token: number } | { readonly heldFor: number }

/**
 * What a system implements; `locksOn` makes locks of it. Names are checked already, times are milliseconds by the system's own
 * clock. Each call is one step, which nothing comes between, in whichever process. Calls may overlap.
 */
export interface LocksDriver {
  readonly system: string
  readonly features: LocksFeatures
  /** Takes the lock for `ttl` if nobody has it. A holder whose time is over has it no more. Tokens of a name only ascend, after whatever `features.durable` survives. */
  take(name: string, ttl: number): Promise<Taken>
  /** Makes its time end `ttl` from now. false: its time was over, or it was released, whoever has it; nothing was changed. */
  extend(name: string, token: number, ttl: number): Promise<boolean>
  /** Frees it, if the token still has it. */
  release(name: string, token: number): Promise<void>
  /** Called once, when no call is under way but renewals of what is lost; they may reject. */
  close(): Promise<void>
}
