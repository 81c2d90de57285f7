import { longestDuration, milliseconds, type Duration } from '../clock/duration.ts'
import { isMillraceError, messageOf, MillraceError } from '../errors/millrace-error.ts'

/** Known across copies of the library, as MillraceError is. */
const control = Symbol.for('millrace.control')

type Control = { readonly as: 'dead' } | { readonly as: 'retry' | 'release'; readonly delay: number }

/** An error that says what is to become of the event. */
class ControlError extends Error {
  override readonly name: string
  readonly [control]: Control

  constructor(name: string, value: Control, cause: unknown) {
    super(cause === undefined ? name : messageOf(cause), { cause })
    this.name = name
    this[control] = value
  }
}

/** To throw: never try this event again, make it a dead letter. @example throw fatal(new Error('no such customer')) */
export function fatal(error: unknown): Error {
  return new ControlError('Fatal', { as: 'dead' }, error)
}

/** To throw: try again after this long instead of what the backoff says. Counts as an attempt. */
export function retryIn(delay: Duration, error?: unknown): Error {
  return new ControlError('RetryIn', { as: 'retry', delay: milliseconds(delay, 'delay') }, error)
}

/** To throw: not now; come back after this long. Counts no attempt. */
export function defer(delay: Duration): Error {
  return new ControlError('Defer', { as: 'release', delay: milliseconds(delay, 'delay') }, undefined)
}

/** What the error says is to become of the event; looks through causes, so that a wrapped `fatal` stays fatal. */
function controlOf(error: unknown): Control | undefined {
  let current = error
  for (let depth = 0; depth < 10 && typeof current === 'object' && current !== null; depth++) {
    const found = (current as { [control]?: Control })[control]
    if (found !== undefined) return found
    current = (current as { cause?: unknown }).cause
  }
  return undefined
}

/** Milliseconds to wait, from the number of failures so far (1 = the first attempt failed). */
export type Backoff = (failures: number) => number

/** How often and when failed events are tried again. */
export interface RetryPolicy {
  /** Runs of the handler, the first included. */
  readonly attempts: number
  readonly backoff: Backoff
}

/** What becomes of an event whose handling failed. */
export interface Verdict {
  readonly as: 'retry' | 'release' | 'dead'
  readonly delay: number
  /** What to show: what a control error wraps, or the thrown thing itself. */
  readonly error: Error
  /** Whether a handler ran and failed, for no fault of the event that anybody could tell. */
  readonly handlerFailed: boolean
}

/** @param attempt failures before this one, plus 1 */
export function verdictOn(thrown: unknown, attempt: number, policy: RetryPolicy): Verdict {
  const error = shown(thrown)
  const said = isMillraceError(error, 'HANDLER_FAILED') ? undefined : controlOf(thrown)
  if (said?.as === 'release') return { as: 'release', delay: said.delay, error, handlerFailed: false }
  // The bytes will be the same next time.
  if (said?.as === 'dead' || isMillraceError(error, 'DECODE_FAILED'))
    return { as: 'dead', delay: 0, error, handlerFailed: false }
  const handlerFailed = !isMillraceError(error, 'NO_HANDLER')
  if (attempt >= policy.attempts) return { as: 'dead', delay: 0, error, handlerFailed }
  return { as: 'retry', delay: said?.delay ?? wait(policy.backoff, attempt), error, handlerFailed }
}

/** Anything can be thrown, also what throws when it is looked at; from here on it can be looked at. */
function shown(thrown: unknown): Error {
  try {
    const error = unwrapped(thrown)
    void [error.name, error.message, error.stack, (error as { code?: unknown }).code]
    return error
  } catch {
    return new MillraceError('HANDLER_FAILED', 'The handler threw something that cannot be looked at')
  }
}

function unwrapped(thrown: unknown): Error {
  if (thrown instanceof Error && control in thrown && thrown.cause instanceof Error) return thrown.cause
  if (thrown instanceof Error) return thrown
  return new MillraceError('HANDLER_FAILED', messageOf(thrown), { cause: thrown })
}

/** A backoff is the user's code: whatever it does, the event must get a sensible next time. */
function wait(backoff: Backoff, failures: number): number {
  let delay = Number.NaN
  try {
    delay = backoff(failures)
  } catch {
    // treated as no answer: the failure of the handler is what matters, and it is reported
  }
  return Number.isFinite(delay) && delay >= 0 ? Math.min(delay, longestDuration) : defaultBackoff(failures)
}

const longestWait = 15 * 60_000

const defaultBackoff: Backoff = exponential()

/** 25 runs of the handler over some hours, so that an outage does not empty a queue into its dead letters. */
export const defaultRetry: RetryPolicy = { attempts: 25, backoff: defaultBackoff }

/** Always the same wait, without jitter. */
export function constant(delay: Duration): Backoff {
  const ms = milliseconds(delay, 'delay')
  return () => ms
}

/** `start`, then `step` more each time, at most `max` (default: no limit). Without jitter. */
export function linear(options: { start: Duration; step: Duration; max?: Duration }): Backoff {
  const start = milliseconds(options.start, 'start')
  const step = milliseconds(options.step, 'step')
  const max = options.max === undefined ? Number.MAX_SAFE_INTEGER : milliseconds(options.max, 'max')
  return (failures) => Math.min(start + step * (failures - 1), max)
}

/**
 * `start` times `factor` to the power of the earlier failures, at most `max`. With full jitter a random part of that
 * between 0 and all of it, so that events that failed together do not come back together.
 * Defaults: start 1 s, factor 2, max 15 min, full jitter.
 * Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export function exponential(
  options: { start?: Duration; max?: Duration; factor?: number; jitter?: 'full' | 'none' } = {},
): Backoff {
  const start = milliseconds(options.start ?? 1_000, 'start')
  const max = milliseconds(options.max ?? longestWait, 'max')
  const factor = options.factor ?? 2
  if (!(factor >= 1))
    throw new MillraceError('INVALID_OPTION', `Expected \`factor\` to be 1 or more, got ${factor}`)
  const full = (options.jitter ?? 'full') === 'full'
  return (failures) => {
    const ceiling = Math.min(start * factor ** (failures - 1), max)
    return full ? Math.random() * ceiling : ceiling
  }
}
