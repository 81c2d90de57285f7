import { setImmediate as turn } from 'node:timers/promises'
import { checkReplacement } from '../../contract/dead-letter.ts'
import type { StoredDeadLetter } from '../../contract/transport.ts'
import type { EventHead } from '../../event/event.ts'
import { decodeHead, encodeHead } from '../../event/head.ts'
import type { Outgoing } from '../../event/outgoing.ts'
import type { Raw } from '../../event/payload.ts'
import type { EventFile } from './event-file.ts'
import { lastPlace, makeNewReady } from './ready-list.ts'
import { storedData } from './stored-event.ts'
import { decodeRecord } from '../../contract/stored-json.ts'

interface LetterRow {
  readonly letter: number
  readonly name: string
  readonly id: string
  readonly type: string
  readonly key: string | null
  readonly head: string
  readonly data: Raw
  readonly record: string
}

/** How many letters one transaction moves or deletes, so that many do not hold up the other processes. */
const batch = 500

const columns = 'letter, name, id, type, key, head, data, record'
const page = `SELECT ${columns} FROM dead WHERE queue = ? AND letter > ? ORDER BY letter LIMIT ?`
const one = `SELECT ${columns} FROM dead WHERE queue = ? AND name = ?`
const next = 'SELECT letter FROM dead WHERE queue = ? AND letter > ? AND letter <= ? ORDER BY letter LIMIT ?'
const last = 'SELECT max(letter) AS letter FROM dead WHERE queue = ?'
/** At attempt 1 again, as the latest of its queue; the history goes with it. */
const moveBack = `
  INSERT INTO events (queue, taken, id, type, key, head, data, trail)
  SELECT queue, ?, id, type, key, head, data, iif(json_valid(record), json_object(
    'firstFailedAt', record -> '$.firstFailedAt', 'history', record -> '$.history'
  ), NULL) FROM dead WHERE queue = ? AND letter = ?`
const replaceEvent =
  'UPDATE dead SET id = ?, type = ?, key = ?, head = ?, data = ? WHERE queue = ? AND letter = ?'
const postpone = 'UPDATE events SET due = ? WHERE seq > ? AND ? > ?'
const remove = 'DELETE FROM dead WHERE queue = ? AND letter = ?'

/** The dead letters of all queues, oldest first. */
export class DeadLetters {
  readonly #file: EventFile

  constructor(file: EventFile) {
    this.#file = file
  }

  list(queue: string, limit: number, after: string | undefined): Promise<readonly StoredDeadLetter[]> {
    const { database, subscriptions } = this.#file
    return database.read(() => {
      const id = subscriptions.queue(queue)
      return database.all<LetterRow>(page, id, Number(after ?? 0), limit).map(storedLetter)
    })
  }

  get(queue: string, letter: string): Promise<StoredDeadLetter | undefined> {
    const { database, subscriptions } = this.#file
    return database.read(() => {
      const row = database.get<LetterRow>(one, subscriptions.queue(queue), letter)
      return row === undefined ? undefined : storedLetter(row)
    })
  }

  async redrive(
    queue: string,
    letters: readonly string[] | undefined,
    replace: Outgoing | undefined,
  ): Promise<number> {
    const { database, wakeUp, clock } = this.#file
    checkReplacement(letters, replace)
    const count = await this.#each(queue, letters, (id, letter) => {
      if (replace !== undefined) {
        const { id: event, type, key = null, head, data } = replace
        database.run(replaceEvent, event, type, key, encodeHead(head), storedData(data), id, letter)
      }
      const now = Math.floor(clock.now())
      const place = lastPlace(database)
      const moved = database.run(moveBack, now, id, letter)
      if (moved === 1 && replace?.deliverAt !== undefined)
        database.run(postpone, replace.deliverAt, place, replace.deliverAt, now)
      makeNewReady(database, place)
      database.run(remove, id, letter)
      return moved
    })
    if (count > 0) wakeUp.announce()
    return count
  }

  purge(queue: string, letters: readonly string[] | undefined): Promise<number> {
    return this.#each(queue, letters, (id, letter) => this.#file.database.run(remove, id, letter))
  }

  /** Runs `move` for the letters named, or for all that there are now. Gives the sum. */
  async #each(
    queue: string,
    letters: readonly string[] | undefined,
    move: (queue: number, letter: number) => number,
  ): Promise<number> {
    const { database, subscriptions } = this.#file
    const id = await database.read(() => subscriptions.queue(queue))
    const moveAll = (list: readonly number[]): number =>
      list.reduce((sum, letter) => sum + move(id, letter), 0)
    let count = 0
    if (letters !== undefined) {
      for (let i = 0; i < letters.length; i += batch) {
        count += await database.write(() =>
          moveAll(
            letters
              .slice(i, i + batch)
              .flatMap((name) => database.get<LetterRow>(one, id, name)?.letter ?? []),
          ),
        )
        await turn()
      }
      return count
    }
    const end = await database.read(() => database.get<{ letter: number | null }>(last, id)?.letter ?? 0)
    for (let at = 0; at < end;) {
      const moved = await database.write(() => {
        const list = database.all<{ letter: number }>(next, id, at, end, batch).map((row) => row.letter)
        return { count: moveAll(list), at: list.at(-1) ?? end }
      })
      count += moved.count
      at = moved.at
      await turn()
    }
    return count
  }
}

function storedLetter({ letter, name, id, type, key, head, data, record }: LetterRow): StoredDeadLetter {
  return {
    letter: name,
    cursor: String(letter),
    id,
    type,
    key: key ?? undefined,
    head: headOrNone(head),
    data,
    record: decodeRecord(record),
  }
}

/** Attributes that cannot be decoded may be the very reason of the death. */
function headOrNone(head: string): EventHead | undefined {
  try {
    return decodeHead(head)
  } catch {
    return undefined
  }
}
