import type { Clock } from '../../clock/clock.ts'
import { Rates } from '../../contract/rates.ts'
import { bootedAt } from './boot.ts'
import { CommitWatch } from './commit-watch.ts'
import type { Database } from './database.ts'
import { openDatabase, type OpenOptions } from './open-database.ts'
import { writeRates } from './rates.ts'
import { Subscriptions } from './subscriptions.ts'
import { Unrouted } from './unrouted.ts'
import { WakeUp } from './wake-up.ts'

export interface EventFileOptions extends OpenOptions {
  /** Of unrouted events, in milliseconds. */
  readonly retention: number
}

/** The file as one transport has it open. */
export interface EventFile {
  readonly database: Database
  readonly subscriptions: Subscriptions
  readonly unrouted: Unrouted
  readonly rates: Rates
  readonly wakeUp: WakeUp
  /** Of callers, whose events others may take when they have ended. */
  readonly commits: CommitWatch
  /** For everything that belongs to no session. */
  readonly clock: Clock
  /** When the machine was started; see `timesOf`. */
  readonly booted: number
}

/** @throws MillraceError as `openDatabase` */
export async function openEventFile(options: EventFileOptions): Promise<EventFile> {
  const database = await openDatabase(options)
  const wakeUp = new WakeUp(options.path)
  return {
    database,
    subscriptions: new Subscriptions(database),
    unrouted: new Unrouted(database, options.retention),
    rates: new Rates(options.clock, (counts) => writeRates(database, counts, options.clock.now())),
    wakeUp,
    commits: new CommitWatch(() => wakeUp.announce()),
    clock: options.clock,
    booted: await database.read(() => bootedAt(database)),
  }
}
