import type { ErrorCode } from '../errors/codes.ts'
import { isMillraceError, MillraceError } from '../errors/millrace-error.ts'

/** What the command ends with. `interrupted` is what shells expect of a program ended by SIGINT. */
export const exitCodes = {
  ok: 0,
  failure: 1,
  usage: 2,
  unreachable: 3,
  notFound: 4,
  interrupted: 130,
} as const
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** A mistake in what was typed, whatever its code. */
export class UsageError extends MillraceError {
  constructor(message: string, code: ErrorCode = 'USAGE', options?: { cause?: unknown }) {
    super(code, message, options)
  }
}

const byCode: { readonly [code in ErrorCode]?: ExitCode } = {
  UNKNOWN_TRANSPORT: exitCodes.usage,
  TRANSPORT_UNREACHABLE: exitCodes.unreachable,
  CONNECTION_LOST: exitCodes.unreachable,
  MISSING_PEER: exitCodes.unreachable,
  SQLITE_TOO_OLD: exitCodes.unreachable,
  MIGRATION_NEEDED: exitCodes.unreachable,
  STORE_BUSY: exitCodes.unreachable,
  STORE_FULL: exitCodes.unreachable,
  STORE_READ_ONLY: exitCodes.unreachable,
  STORE_CORRUPT: exitCodes.unreachable,
  STORE_INCOMPATIBLE: exitCodes.unreachable,
  STORE_NETWORK: exitCodes.unreachable,
  STORE_FAILED: exitCodes.unreachable,
  UNKNOWN_QUEUE: exitCodes.notFound,
  DEAD_LETTER_NOT_FOUND: exitCodes.notFound,
}

export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof UsageError) return exitCodes.usage
  return (isMillraceError(error) ? byCode[error.code] : undefined) ?? exitCodes.failure
}

/** Runs work on what was typed: if it is refused, that is a mistake in the command line. @throws UsageError */
export async function typed<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isMillraceError(error) || Object.hasOwn(byCode, error.code)) throw error
    throw new UsageError(error.message, error.code, { cause: error })
  }
}
