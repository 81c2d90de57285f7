import { closeSync, openSync, readdirSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Settlement } from '../../src/contract/transport.ts'
import type { PublishOutcome } from '../../src/index.ts'

/*
 * What happened, as the processes themselves saw it: a file for each, an entry a line, written in one call before the thing
 * it tells of can have any effect. So a kill loses at most the entry of something that had none yet:
 *   publishing  written before the call. Missing: the call was never made.
 *   redriving, redriven   as these two.
 *   published   written after the call. Missing: the outcome is unknown, as for anybody whose process dies at this moment.
 *   claimed     written before the engine sees the events. Missing: nobody has seen them.
 *   start       written before the handler does anything. Missing: it did nothing. What a relay does with an event of the
 *               outbox is to send it: a start and an end are of one try of that.
 *   end         written before the handler returns or throws. Missing: it did neither, so the event cannot be settled.
 *   settled     written after the answer. Missing: the system may or may not have done it.
 * A line that is cut off is one that is missing.
 */

export type Ending = 'ok' | 'failed' | 'fatal' | 'deferred' | 'stopped' | 'aborted'

export type Happening =
  // publishers
  | {
      readonly what: 'publishing'
      readonly call: string
      readonly events: readonly PublishedEvent[]
      /** Its transaction will be rolled back, whatever comes. */
      readonly rolledBack?: true
    }
  | { readonly what: 'published'; readonly call: string; readonly results: readonly PublishOutcome[] }
  // consumers. `run` is unique within its process, and names one hand-out of an event; `now` is the time by the wall clock
  /** It asks for an event whose holder died, and may die itself before it can tell that it was given one. */
  | { readonly what: 'asked'; readonly queue: string }
  | { readonly what: 'claimed'; readonly queue: string; readonly events: readonly ClaimedEvent[] }
  | StartHappening
  | {
      readonly what: 'end'
      readonly run: number
      readonly as: Ending
      /** After a failure or a deferral: how long the event is to wait, in milliseconds. */
      readonly wait?: number
      readonly now: number
    }
  /** What the system answered to what it was told of these runs. */
  | { readonly what: 'settled'; readonly answers: readonly Answer[] }
  /** What it still has of the queue goes back, but for these: their handlers go on. */
  | { readonly what: 'parting'; readonly queue: string; readonly keep: readonly number[] }
  // operators
  | {
      readonly what: 'redriving'
      readonly call: string
      readonly queue: string
      /** Of the events whose letters are put back. */
      readonly ids: readonly string[]
      /** Another event takes the place of the one. */
      readonly replaces: boolean
    }
  | { readonly what: 'redriven'; readonly call: string; readonly count: number }
  /** Its wall clock was set by so many milliseconds. */
  | { readonly what: 'stepped'; readonly ms: number }
  /** What the app told by `onNotice`; of publishers and of the harness' own, why something failed. */
  | {
      readonly what: 'noticed'
      readonly code: string
      readonly message: string
      readonly queue?: string
      readonly id?: string
    }
  /** Its event loop did nothing for the last `ms` milliseconds. */
  | { readonly what: 'stalled'; readonly ms: number }
  /** It consumes. */
  | { readonly what: 'up' }
  /** It stops in order: what still runs `timeout` milliseconds later is given up. */
  | { readonly what: 'stopping'; readonly timeout: number }
  | { readonly what: 'stopped' }
  // the harness, about a process or about the system
  | { readonly what: 'spawned' | 'killed' | 'frozen' | 'thawed'; readonly of: string }
  /** It was told to stop, has not, and is killed for that. */
  | { readonly what: 'overdue'; readonly of: string }
  | {
      readonly what: 'gone'
      readonly of: string
      readonly code: number | null
      readonly signal: string | null
    }
  /** The system cannot be used, or not for everybody, until it is whole. */
  | { readonly what: 'disturbed'; readonly how: string }
  | { readonly what: 'whole' }
  /** All handlers of the queue fail, until they are mended. */
  | { readonly what: 'failing' | 'mended'; readonly queue: string }
  /** A dead letter that is there in the end. */
  | { readonly what: 'letter'; readonly queue: string; readonly id: string }

export interface ClaimedEvent {
  readonly run: number
  readonly id: string
  readonly attempt: number
  /** Whether its last holder let the lease run out. */
  readonly lapsed: boolean
}

export interface Answer {
  readonly run: number
  readonly as: Settlement['as']
  /** done, gone or lost, or the code of a refusal. */
  readonly result: string
}

export interface StartHappening {
  readonly what: 'start'
  readonly run: number
  readonly queue: string
  readonly id: string
  readonly type: string
  readonly key?: string
  readonly attempt: number
  /** Whether it is the event that took the place of another, of a dead letter. */
  readonly replaced: boolean
  readonly now: number
}

export interface PublishedEvent {
  readonly id: string
  readonly type: string
  readonly key?: string
  /** Milliseconds since 1970. */
  readonly deliverAt?: number
  /** What that date was made of, by the publisher's clock: milliseconds. */
  readonly delay?: number
}

/** `at`: milliseconds by the machine's monotonic clock, which all its processes share. */
export type Entry = Happening & { readonly by: string; readonly at: number }

export function monotonic(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000
}

/** Writes a history. Gives the function that adds to it. */
export function historyOf(folder: string, by: string): (happening: Happening) => void {
  const file = openSync(join(folder, `${by}.jsonl`), 'a')
  return (happening) => void writeSync(file, `${JSON.stringify({ at: monotonic(), by, ...happening })}\n`)
}

/** What the processes whose names begin so have written. */
export function readHistories(folder: string, prefix = ''): Entry[] {
  const files = readdirSync(folder).filter((name) => name.startsWith(prefix) && name.endsWith('.jsonl'))
  return files.flatMap((name) => parse(readFileSync(join(folder, name), 'utf8')))
}

function parse(text: string): Entry[] {
  // Behind the last line break is nothing, or a line that was cut off.
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as Entry)
}

/** Says once, over all processes that share the folder, that this is the first time. */
export function firstTime(folder: string, what: string): boolean {
  try {
    closeSync(openSync(join(folder, `${what}.mark`), 'wx'))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}
