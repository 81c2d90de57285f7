import type { TransactionStore } from '../contract/transaction-types.ts'
import type { Session } from '../contract/transport.ts'
import type { ErrorCode } from '../errors/codes.ts'
import { messageOf, MillraceError } from '../errors/millrace-error.ts'
import type { Reporter } from '../report/reporter.ts'
import { aboutOf, leaseLost, type Held } from './held.ts'
import { defer } from './outcome.ts'
import { RunTransaction } from './run-transaction.ts'

/** Runs what is to be done with an event in a transaction, and commits it. */
export type Transact = (held: Held, run: () => unknown) => Promise<void>

/** How long an event waits for its next try if it was not its handler that failed. */
const waitForNext = '1s'

/** What a commit fails with that has nothing to do with what is in it. */
const outages: ReadonlySet<ErrorCode> = new Set(['CONNECTION_LOST', 'STORE_BUSY', 'TRANSPORT_UNREACHABLE'])

/**
 * The handlers of a transactional queue: what they write and publish, and that the event was handled, is one commit. With an
 * outbox it is the commit of the outbox, which remembers the event; the transport is told afterwards.
 */
export function transactions(
  session: () => Session,
  outbox: TransactionStore | undefined,
  reporter: Reporter,
): Transact {
  return async (held, run) => {
    let state = 'not begun' as 'not begun' | 'running' | 'handled'
    let running: Promise<unknown> | undefined
    let reason: Error | undefined
    const ended = new Promise<never>((_, reject) => {
      held.endTransaction = (why) => reject((reason = why))
    })
    // It may end while nobody waits for it.
    ended.catch(() => undefined)
    const work = async (handle: unknown): Promise<void> => {
      // Its event may have gone while it waited for a connection, or for what somebody has locked.
      if (reason !== undefined) throw reason
      if (held.lost) throw leaseLost(held)
      if (held.aborted) held.signal.throwIfAborted()
      state = 'running'
      const transaction = new RunTransaction(handle)
      held.transaction = transaction
      try {
        running = Promise.resolve(run())
        await Promise.race([running, ended])
        await transaction.settled()
        state = 'handled'
      } catch (error) {
        transaction.failed()
        throw error
      }
    }
    try {
      if (outbox === undefined) await session().transact!(held.received, work)
      else await outbox.transact!(held.queue, held.received.id, work)
    } catch (error) {
      // Its transaction is over, but the handler may not be.
      await Promise.allSettled([running])
      const isUnwanted = reason !== undefined || held.aborted || isLost(error)
      if (state === 'running' || isUnwanted || (state === 'handled' && !isOutage(error))) throw error
      // No failure of the event's: a connection is missing, the pool is exhausted, or somebody keeps a lock.
      const what =
        state === 'handled' ? 'The transaction could not be committed' : 'No transaction could be begun'
      const message = `${what}: ${messageOf(error)}; trying again`
      reporter.notice({ ...aboutOf(held), code: (error as MillraceError).code, message, cause: error })
      throw defer(waitForNext)
    }
  }
}

function isLost(error: unknown): boolean {
  return error instanceof MillraceError && error.code === 'LEASE_LOST'
}

function isOutage(error: unknown): boolean {
  return error instanceof MillraceError && outages.has(error.code)
}
