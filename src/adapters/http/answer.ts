import type { ErrorCode } from '../../errors/codes.ts'
import { MillraceError, isMillraceError } from '../../errors/millrace-error.ts'

/** Seconds after which a sender may try again where nothing better is known. */
const retrySeconds = 5

/** What is wrong with the request itself: sending it again changes nothing. Each with the status that says so. */
const refusals: Partial<Record<ErrorCode, number>> = {
  HTTP_METHOD: 405,
  HTTP_UNVERIFIED: 401,
  HTTP_TOO_LARGE: 413,
  HTTP_MEDIA_TYPE: 415,
  HTTP_BAD_REQUEST: 400,
  HTTP_TYPE_REFUSED: 400,
  INVALID_EVENT: 400,
  INVALID_NAME: 400,
  TOPIC_AMBIGUOUS: 400,
  UNKNOWN_TYPE: 400,
  DATA_INVALID: 400,
  DATA_NOT_JSON: 400,
  DECODE_FAILED: 400,
  EVENT_TOO_LARGE: 413,
}

/** What RFC 9110 wants beside some of them. */
const refusalHeaders: Partial<Record<ErrorCode, Record<string, string>>> = {
  HTTP_METHOD: { allow: 'POST' },
  HTTP_MEDIA_TYPE: { 'accept-encoding': 'identity' },
}

/** The answer to a request that the sender has to correct; undefined if the error is not the sender's. */
export function refusal(error: unknown): Response | undefined {
  if (!isMillraceError(error)) return undefined
  const status = refusals[error.code]
  if (status === undefined) return undefined
  return answer(status, error.code, error.message, refusalHeaders[error.code])
}

/** The answer where the sender is right and should come again. It tells nothing of what is wrong here. */
export function unavailable(
  code: ErrorCode = 'HTTP_UNAVAILABLE',
  message = 'The event could not be taken now',
  seconds: number = retrySeconds,
): Response {
  return answer(503, code, message, { 'retry-after': String(seconds) })
}

export function answer(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ code, message }, { status, headers })
}

/** The answer to events that were taken. */
export function taken(status: number, code: string, message: string, ids: readonly string[]): Response {
  return Response.json({ code, message, ids }, { status })
}

/** Narrows for callers that must tell the sender's mistakes from their own. */
export function isRefusal(error: unknown): error is MillraceError {
  return isMillraceError(error) && refusals[error.code] !== undefined
}
