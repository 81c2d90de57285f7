import { MillraceError } from '../errors/millrace-error.ts'
import type { Outgoing } from '../event/outgoing.ts'

/** Why an event became a dead letter. Kept beside the event, as JSON, in at most 8 KiB: `capRecord` sees to that. */
export interface DeadLetterRecord {
  readonly error: {
    readonly name: string
    readonly message: string
    readonly stack?: string
    readonly code?: string
  }
  /** Times the handler ran, or could have been running when its process died. */
  readonly attempts: number
  /** Milliseconds since 1970. */
  readonly firstFailedAt: number
  readonly deadAt: number
  /** The latest failures, oldest first. Redriving keeps them. */
  readonly history: readonly FailureNote[]
}

export interface FailureNote {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly message: string
}

/** What the driver keeps of failures between attempts: the times of the first, and the latest messages. */
export interface FailureTrail {
  readonly firstFailedAt: number
  readonly history: readonly FailureNote[]
}

/**
 * What every `redrive` checks: a replacement is for one letter.
 * @throws MillraceError INVALID_OPTION
 */
export function checkReplacement(
  letters: readonly string[] | undefined,
  replace: Outgoing | undefined,
): void {
  if (replace === undefined || letters?.length === 1) return
  throw new MillraceError('INVALID_OPTION', 'A replacement is for one dead letter; name exactly one')
}

const historyLength = 10
const messageLength = 500
const stackLength = 3_000

/** A text of at most `length` characters. */
function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1).toWellFormed()}…`
}

/** The trail with one more failure, the oldest notes dropped. */
export function addFailure(trail: FailureTrail | undefined, at: number, message: string): FailureTrail {
  const note = { at, message: cut(message, messageLength) }
  if (trail === undefined) return { firstFailedAt: at, history: [note] }
  return { firstFailedAt: trail.firstFailedAt, history: [...trail.history, note].slice(-historyLength) }
}

/** The record of a final failure, cut so that its JSON fits the 8 KiB that `features.maxBytes` leaves free. */
export function deadLetterRecord(
  error: unknown,
  attempts: number,
  at: number,
  trail: FailureTrail,
): DeadLetterRecord {
  // Any of these may be something else than text: they are what somebody threw.
  const { name, stack, code }: { name?: unknown; stack?: unknown; code?: unknown } =
    error instanceof Error ? error : {}
  return {
    error: {
      name: typeof name === 'string' ? cut(name, 100) : 'Error',
      message: trail.history.at(-1)?.message ?? '',
      ...(typeof stack === 'string' && { stack: cut(stack, stackLength) }),
      ...(typeof code === 'string' && { code: cut(code, 100) }),
    },
    attempts,
    firstFailedAt: trail.firstFailedAt,
    deadAt: at,
    history: trail.history,
  }
}
