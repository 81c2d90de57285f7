import { errorCodes, type ErrorCode } from './codes.ts'

/** Marks errors of every copy of the library that a process may have loaded: `instanceof` knows only its own. */
const brand = Symbol.for('millrace.error')

/**
 * Every error that millrace throws or reports. `code` is stable and listed in docs/errors.md with what to do about it;
 * the message names the thing concerned; `cause` is what lay beneath (a driver's error, a validation issue).
 */
export class MillraceError extends Error {
  override readonly name: string = 'MillraceError'
  readonly code: ErrorCode
  /** What to do about it, in one sentence. */
  readonly remedy: string
  readonly [brand] = true

  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.code = code
    this.remedy = errorCodes[code].remedy
  }
}

/** Tells whether `error` is a MillraceError (with `code`, if one is given), across copies and versions of the library. */
export function isMillraceError(error: unknown, code?: string): error is MillraceError {
  return (
    typeof error === 'object' &&
    error !== null &&
    (error as { [brand]?: unknown })[brand] === true &&
    (code === undefined || (error as { code?: unknown }).code === code)
  )
}

/** The message of anything that was thrown: `throw 'text'` and `throw undefined` happen. */
export function messageOf(error: unknown): string {
  try {
    // Some libraries put objects there.
    if (error instanceof Error) return String(error.message)
    return String(error)
  } catch {
    return 'a value that cannot be shown'
  }
}
