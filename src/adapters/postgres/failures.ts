import { MillraceError, messageOf } from '../../errors/millrace-error.ts'

/** The coded error for what was thrown while using the database. */
export function storeError(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error
  return new MillraceError('STORE_FAILED', messageOf(error), { cause: error })
}
