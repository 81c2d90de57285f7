import { checkReplacement, type DeadLetterRecord } from './contract/dead-letter.ts'
import type { Received, Transport } from './contract/transport.ts'
import type { StoredDeadLetter, TransportAdmin } from './contract/transport-admin.ts'
import { MillraceError } from './errors/millrace-error.ts'
import { EventRecord, type EventHead, type MillraceEvent } from './event/event.ts'
import { encodeEvent } from './event/outgoing.ts'
import { bytesOf, Payload } from './event/payload.ts'

/** An event that will not be tried again unless somebody redrives it, with what went wrong. */
export interface DeadLetter {
  /** The event's id; with `~` and a number behind if the queue had such a letter already. */
  readonly id: string
  readonly queue: string
  /** undefined if its attributes could not be decoded. Reading its `data` may throw DECODE_FAILED. */
  readonly event?: MillraceEvent
  /** The data as it travelled. */
  readonly raw: Uint8Array
  readonly error: {
    readonly name: string
    readonly message: string
    readonly stack?: string
    readonly code?: string
  }
  /** Runs of the handler, those that ended with their process included. */
  readonly attempts: number
  readonly firstFailedAt: Date
  readonly deadAt: Date
  /** The latest failures, oldest first, those before a redrive included. */
  readonly history: readonly { readonly at: Date; readonly message: string }[]
}

/** The dead letters of one queue. */
export interface DeadLetters {
  /**
   * In the order in which they died. `limit`: at most so many, from 1; default: all. `after`: go on behind this letter.
   * @throws MillraceError DEAD_LETTER_NOT_FOUND, INVALID_OPTION
   */
  list(options?: { limit?: number; after?: string }): AsyncIterable<DeadLetter>
  get(id: string): Promise<DeadLetter | undefined>
  /**
   * Puts letters back into the queue, at attempt 1; no ids: all. Gives their number.
   * `replace` takes the place of the event of the one letter named.
   * @throws MillraceError DEAD_LETTER_NOT_FOUND; INVALID_OPTION if `replace` is given for any other number of letters
   */
  redrive(ids?: string | readonly string[], options?: { replace?: MillraceEvent }): Promise<number>
  /** Deletes letters; no ids: all. Gives their number. */
  purge(ids?: string | readonly string[]): Promise<number>
}

const pageLength = 100

export interface DeadLettersParts {
  readonly transport: () => Promise<Transport>
  /** Some letters are back in the queue. */
  redriven(): void
}

export function deadLettersOf(queue: string, { transport, redriven }: DeadLettersParts): DeadLetters {
  const admin = async (): Promise<TransportAdmin> => {
    // The name may come from outside, and drivers do not expect anything but text.
    if (typeof queue !== 'string')
      throw new MillraceError('UNKNOWN_QUEUE', `Expected the name of a queue, got ${typeof queue}`)
    return (await transport()).admin
  }
  const notFound = (id: string | undefined): MillraceError =>
    new MillraceError('DEAD_LETTER_NOT_FOUND', `The queue '${queue}' has no dead letter '${id}'`)
  const cursorOf = async (id: string): Promise<string> => {
    const letter = await (await admin()).deadLetter(queue, id)
    if (letter === undefined) throw notFound(id)
    return letter.cursor
  }
  return {
    async *list(options = {}) {
      let left = limitOf(options.limit)
      let after = options.after === undefined ? undefined : await cursorOf(options.after)
      while (left > 0) {
        const limit = Math.min(left, pageLength)
        const letters = await (await admin()).deadLetters(queue, { limit, after })
        for (const letter of letters) yield letterOf(queue, letter)
        left -= letters.length
        after = letters.at(-1)?.cursor
        if (letters.length < pageLength) return
      }
    },
    async get(id) {
      const letter = await (await admin()).deadLetter(queue, id)
      return letter === undefined ? undefined : letterOf(queue, letter)
    },
    async redrive(ids, options = {}) {
      const list = listOf(ids)
      const { replace } = options
      const event = replace === undefined ? undefined : encodeEvent(replace)
      checkReplacement(list, event)
      const number = await (await admin()).redrive(queue, list, event)
      if (number > 0) redriven()
      else if (replace !== undefined) throw notFound(list?.[0])
      return number
    },
    async purge(ids) {
      return (await admin()).purge(queue, listOf(ids))
    },
  }
}

function limitOf(limit: number | undefined): number {
  if (limit === undefined) return Number.POSITIVE_INFINITY
  if (Number.isSafeInteger(limit) && limit >= 1) return limit
  throw new MillraceError(
    'INVALID_OPTION',
    `Expected \`limit\` to be a whole number from 1, got ${String(limit)}`,
  )
}

function listOf(ids: string | readonly string[] | undefined): readonly string[] | undefined {
  return typeof ids === 'string' ? [ids] : ids
}

/** What users see of a stored letter. */
export function letterOf(queue: string, stored: Omit<StoredDeadLetter, 'cursor'>): DeadLetter {
  const { letter, id, type, key, head, data, record } = stored
  const event =
    head === undefined
      ? undefined
      : new EventRecord(id, type, key, head, Payload.from(data, head.contentType))
  return {
    id: letter,
    queue,
    ...(event === undefined ? {} : { event }),
    raw: bytesOf(data),
    error: record.error,
    attempts: record.attempts,
    firstFailedAt: new Date(record.firstFailedAt),
    deadAt: new Date(record.deadAt),
    history: record.history.map(({ at, message }) => ({ at: new Date(at), message })),
  }
}

/** The letter that a received event has become. */
export function letterOfReceived(queue: string, received: Received, record: DeadLetterRecord): DeadLetter {
  const { id, type, key, data } = received
  return letterOf(queue, { letter: id, id, type, key, head: headOrNone(received), data, record })
}

/** Attributes that cannot be decoded are one reason for being a dead letter. */
function headOrNone(received: Received): EventHead | undefined {
  try {
    return received.head
  } catch {
    return undefined
  }
}
