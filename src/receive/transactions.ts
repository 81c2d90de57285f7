import type { Session, Transport } from '../contract/transport.ts'
import { messageOf, type MillraceError } from '../errors/millrace-error.ts'
import type { Reporter } from '../report/reporter.ts'
import { aboutOf, type Held } from './held.ts'
import { defer } from './outcome.ts'
import { RunTransaction } from './run-transaction.ts'

/** Runs what is to be done with an event in a transaction, and commits it. */
export type Transact = (held: Held, run: () => unknown) => Promise<void>

/** How long an event waits for its next try if no transaction could be begun. */
const waitForNext = '1s'

/**
 * The handlers of a transactional queue: what they write and publish, and that the event was handled, is one commit. With an
 * outbox it is the commit of the outbox, which remembers the event; the transport is told afterwards.
 */
export function transactions(
  session: () => Session,
  outbox: Transport | undefined,
  reporter: Reporter,
): Transact {
  return async (held, run) => {
    let began = false
    const work = async (handle: unknown): Promise<void> => {
      began = true
      const transaction = new RunTransaction(handle)
      held.transaction = transaction
      try {
        await run()
        await transaction.settled()
      } catch (error) {
        await transaction.failed()
        throw error
      }
    }
    try {
      if (outbox === undefined) await session().transact!(held.received, work)
      else await outbox.transact!(held.queue, held.received.id, work)
    } catch (error) {
      if (began) throw error
      // No failure of the event's: a connection is missing, or the pool is exhausted.
      const message = `No transaction could be begun: ${messageOf(error)}; trying again`
      reporter.notice({ ...aboutOf(held), code: (error as MillraceError).code, message, cause: error })
      throw defer(waitForNext)
    }
  }
}
