import type { Clock } from '../../clock/clock.ts'
import { Rates } from '../../contract/rates.ts'
import type { Notice } from '../../contract/transport.ts'
import { channelOf } from './channel.ts'
import type { Database } from './database.ts'
import { Inbox } from './inbox.ts'
import { openDatabase, type DatabaseOptions } from './open-database.ts'
import { writeRates } from './rates.ts'
import { orphanSweep } from './removed.ts'
import { Repeats } from './repeats.ts'
import { Subscriptions } from './subscriptions.ts'
import type { Sweep } from './sweep.ts'
import { Unrouted } from './unrouted.ts'
import { WakeUp, type WakeUpOptions } from './wake-up.ts'

export interface EventTablesOptions extends DatabaseOptions {
  /** Of unrouted events, in milliseconds. */
  readonly retention: number
  /** For how long the ids of what transactional queues have handled are kept, in milliseconds. */
  readonly remember: number
  readonly wake: WakeUpOptions
  readonly clock: Clock
}

/** The tables of one schema as one transport has them open. */
export interface EventTables {
  readonly database: Database
  readonly subscriptions: Subscriptions
  readonly repeats: Repeats
  readonly unrouted: Unrouted
  readonly inbox: Inbox
  /** Of events whose queue was removed. */
  readonly orphans: Sweep
  readonly rates: Rates
  readonly wakeUp: WakeUp
  /** Where a publish in somebody else's transaction tells of itself; undefined: it does not. */
  readonly channel: string | undefined
  /** For everything that belongs to no session. When something is due, and when a lease ends, the database says. */
  readonly clock: Clock
  /** How the server is set up to lose what it has taken; undefined if it is not. Each session is told. */
  readonly weakness: Notice | undefined
  close(): Promise<void>
}

/** @throws MillraceError MISSING_PEER, TRANSPORT_UNREACHABLE, LOGIN_REFUSED, MIGRATION_NEEDED, a STORE_ code */
export async function openEventTables(options: EventTablesOptions): Promise<EventTables> {
  const { connect, schema, clock } = options
  const listens = 'pool' in connect ? connect : { ...connect, max: connect.max + 1 }
  const { database, weakness, close } = await openDatabase({ ...options, connect: listens })
  const wakeUp = new WakeUp(database, options.wake)
  const rates = new Rates(clock, (counts) => writeRates(database, counts))
  const unrouted = new Unrouted(database, clock, options.retention)
  const inbox = new Inbox(database, clock, options.remember)
  const orphans = orphanSweep(database, clock)
  return {
    database,
    subscriptions: new Subscriptions(database),
    repeats: new Repeats(clock),
    unrouted,
    inbox,
    orphans,
    rates,
    wakeUp,
    channel: options.wake.wake === 'interval' ? undefined : channelOf(schema),
    clock,
    weakness,
    async close() {
      // A database that is gone is no reason not to close; then the counts of the last second are lost.
      const flushed = rates.flush().catch(() => undefined)
      await Promise.all([flushed, unrouted.close(), inbox.close(), orphans.close()])
      await wakeUp.close().finally(close)
    },
  }
}
