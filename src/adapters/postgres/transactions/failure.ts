import { MillraceError, messageOf } from '../../../errors/millrace-error.ts'
import { sqlState, storeError } from '../failures.ts'

/** The coded error for what a client threw while it ran `sql`. `cause` is what it threw, for whoever repeats transactions. */
export function transactionError(error: unknown, sql: string): MillraceError {
  if (error instanceof MillraceError) return error
  const said = fromServer(error, sql)
  if (said === undefined) {
    const message = `The client of the transaction failed: ${messageOf(error)}`
    return new MillraceError('PUBLISH_FAILED', message, { cause: error })
  }
  const { code, message } = storeError(said, 'The transaction can only be rolled back')
  return new MillraceError(code, message, { cause: error })
}

/** What the server said, without what clients have put around it. */
function fromServer(error: unknown, sql: string): Error | undefined {
  for (let inner = error; typeof inner === 'object' && inner !== null; inner = wrapped(inner)) {
    if (sqlState(inner) === undefined) continue
    const { code, severity, message } = inner as { code: string; severity: string; message: string }
    // Knex puts the statement before it, not quite as it was.
    const own = message.split(`${sql.slice(-5)} - `).at(-1)
    return Object.assign(new Error(own), { code, severity })
  }
  return undefined
}

/** Drizzle has it as `cause`, Prisma as `meta.driverAdapterError`. */
function wrapped(error: { readonly cause?: unknown; readonly meta?: unknown }): unknown {
  return error.cause ?? (error.meta as { driverAdapterError?: unknown } | undefined)?.driverAdapterError
}
