import { setImmediate as turn } from 'node:timers/promises'
import type { QueueLetters } from '../../contract/letters-admin.ts'
import { decodeRecord, headOrNone } from '../../contract/stored-json.ts'
import type { StoredDeadLetter } from '../../contract/transport-admin.ts'
import { encodeHead } from '../../event/head.ts'
import type { Outgoing } from '../../event/outgoing.ts'
import type { Raw } from '../../event/payload.ts'
import type { EventFile } from './event-file.ts'
import { lastPlace, makeNewReady } from './ready-list.ts'
import { storedData } from './stored-event.ts'

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

/** The dead letters of a queue, oldest first. */
export class DeadLetters implements QueueLetters {
  readonly #file: EventFile
  readonly #queue: number

  constructor(file: EventFile, queue: number) {
    this.#file = file
    this.#queue = queue
  }

  page(limit: number, after = '0'): Promise<readonly StoredDeadLetter[]> {
    const { database } = this.#file
    return database.read(() =>
      database.all<LetterRow>(page, this.#queue, Number(after), limit).map(storedLetter),
    )
  }

  get(letter: string): Promise<StoredDeadLetter | undefined> {
    const { database } = this.#file
    return database.read(() => {
      const row = database.get<LetterRow>(one, this.#queue, letter)
      return row === undefined ? undefined : storedLetter(row)
    })
  }

  async redrive(letters: readonly string[] | undefined, replace: Outgoing | undefined): Promise<number> {
    const { database, wakeUp, clock } = this.#file
    const id = this.#queue
    const count = await this.#each(letters, (letter) => {
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

  purge(letters: readonly string[] | undefined): Promise<number> {
    return this.#each(letters, (letter) => this.#file.database.run(remove, this.#queue, letter))
  }

  /** Runs `move` for the letters named, or for all that there are now. Gives the sum. */
  async #each(letters: readonly string[] | undefined, move: (letter: number) => number): Promise<number> {
    const { database } = this.#file
    const id = this.#queue
    const moveAll = (list: readonly number[]): number => list.reduce((sum, letter) => sum + move(letter), 0)
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
