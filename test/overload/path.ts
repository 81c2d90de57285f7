import type { App, AppOptions, QueueOptions } from '../../src/index.ts'
import type { Ledger } from './ledger.ts'

/** What events carry: their number, and something to be of a size. */
export interface Load {
  readonly n: number
  readonly note: string
}

/** A path that is overloaded, as those see it who do so. */
export interface Overload {
  readonly app: App
  /** Where the system is. */
  readonly url: string
  readonly ledger: Ledger
  /** Aborted when the producer is to end. From then on handlers are quick, so that what waits can be counted. */
  readonly over: AbortSignal
}

/** One way for a producer to be faster than its consumers. */
export interface Path {
  /** `system.what`, as it is asked for on the command line. */
  readonly name: string
  readonly system: 'memory' | 'sqlite' | 'postgres' | 'kafka'
  readonly about: string
  /** What V8 may use for old objects, in MiB: without a limit, what nobody has collected yet would be taken for something that grows. */
  readonly heap: number
  /** What the process may take in all, in MiB. */
  readonly ceiling: number
  /** The system counts no more of a kind, and gives what is more as so many. */
  readonly counted: number
  /** Codes of refusals and notices that must show in three minutes. */
  readonly told: readonly string[]
  readonly queue: QueueOptions
  /** Set: what the app is made of, if not of the system as its transport. */
  parts?(url: string, over: AbortSignal): Pick<AppOptions, 'transport' | 'outbox'>
  /** Set: events come in batches of so many. */
  readonly batch?: number
  /** What the handler does with the event of this number. It tells the ledger of what it puts off; what it returns for is handled. */
  handle(n: number, overload: Overload): unknown
  /** Publishes until it is over, and resolves when the outcome of each publish is known. */
  load(overload: Overload): Promise<void>
}
