import type { QueueLetters } from '../../contract/letters-admin.ts'
import { decodeRecord, headOrNone, trailOf } from '../../contract/stored-json.ts'
import type { StoredDeadLetter } from '../../contract/transport-admin.ts'
import { encodeHead } from '../../event/head.ts'
import type { Outgoing } from '../../event/outgoing.ts'
import type { Runner } from './database.ts'
import type { EventTables } from './event-tables.ts'
import { slotOf } from './schema.ts'
import { dueTime, rawData, storedData, takenHead, type StoredData } from './stored-data.ts'

interface LetterRow extends StoredData {
  readonly letter: string
  readonly name: string
  readonly id: string
  readonly type: string
  readonly key: string | null
  readonly head: string
  readonly record: string
}

/** How many letters one transaction moves or deletes. */
const batch = 500

const columns = 'letter::text AS letter, name, id, type, key, head, data, bytes, record'
const page = `SELECT ${columns} FROM {dead} d WHERE queue = $1 AND letter > $2 ORDER BY d.letter LIMIT $3`
const one = `SELECT ${columns} FROM {dead} WHERE queue = $1 AND name = $2`
/** The letters of some names, or the next of all, each with what becomes of it: locked, so that nobody else moves them. */
const named = `SELECT letter::text AS letter, record FROM {dead} d WHERE queue = $1 AND name = ANY($2::text[])
  ORDER BY d.letter FOR UPDATE`
const next = `SELECT letter::text AS letter, record FROM {dead} d WHERE queue = $1 AND letter > $2 AND letter <= $3
  ORDER BY d.letter LIMIT $4 FOR UPDATE`
const last = 'SELECT coalesce(max(letter), 0)::text AS letter FROM {dead} WHERE queue = $1'
/**
 * At attempt 1 again, as the latest of its queue; the history goes with it. A letter stays where the queue has its event,
 * by another publish or another letter: they would be one.
 */
const moveBack = `
  WITH chosen AS (
    SELECT DISTINCT ON (id) d.*, n.trail AS history
    FROM unnest($2::bigint[], $3::text[]) AS n (letter, trail) JOIN {dead} d USING (letter) ORDER BY id, letter
  ),
  back AS (
    INSERT INTO {messages} (queue, id, slot, type, key, head, data, bytes, trail)
    SELECT queue, id, ${slotOf('(SELECT ordered FROM {queues} WHERE id = $1)')}, type, key, head, data, bytes, history
    FROM chosen ORDER BY letter
    ON CONFLICT (queue, id) DO NOTHING RETURNING id
  )
  DELETE FROM {dead} WHERE letter IN (SELECT letter FROM chosen JOIN back USING (id))`
const replaceBy = `
  INSERT INTO {messages} (queue, id, slot, type, key, head, data, bytes, due, trail)
  SELECT $1, id, ${slotOf('(SELECT ordered FROM {queues} WHERE id = $1)')}, type, key, ${takenHead}, data, bytes, ${dueTime}, trail
  FROM (SELECT $2::text, $3::text, $4::text, $5::text, $6::text, $7::bytea, $8::bigint, $9::bigint, $10::text)
    AS e (id, type, key, head, data, bytes, due, delay, trail)
  ON CONFLICT (queue, id) DO NOTHING`
const remove = 'DELETE FROM {dead} WHERE letter = ANY($1::bigint[])'

/** The dead letters of a queue, oldest first. */
export class DeadLetters implements QueueLetters {
  readonly #tables: EventTables
  readonly #queue: number

  constructor(tables: EventTables, queue: number) {
    this.#tables = tables
    this.#queue = queue
  }

  async page(limit: number, after = '0'): Promise<readonly StoredDeadLetter[]> {
    const rows = await this.#tables.database.rows<LetterRow>(page, this.#queue, after, limit)
    return rows.map(storedLetter)
  }

  async get(letter: string): Promise<StoredDeadLetter | undefined> {
    const [row] = await this.#tables.database.rows<LetterRow>(one, this.#queue, letter)
    return row === undefined ? undefined : storedLetter(row)
  }

  async redrive(letters: readonly string[] | undefined, replace: Outgoing | undefined): Promise<number> {
    const count = await this.#each(letters, (transaction, list) =>
      replace === undefined
        ? moveLetters(transaction, this.#queue, list)
        : replaceLetter(transaction, this.#queue, list, replace),
    )
    if (count > 0) this.#tables.wakeUp.announce([this.#queue])
    return count
  }

  purge(letters: readonly string[] | undefined): Promise<number> {
    return this.#each(letters, removeLetters)
  }

  /** Runs `change` for the letters named, or for all that there are now, some at a time. Gives the sum. */
  async #each(letters: readonly string[] | undefined, change: Change): Promise<number> {
    const { database } = this.#tables
    const queue = this.#queue
    let count = 0
    if (letters !== undefined) {
      for (let i = 0; i < letters.length; i += batch) {
        const names = letters.slice(i, i + batch)
        count += await database.transaction(async (transaction) =>
          change(transaction, await transaction.rows<Letter>(named, queue, names)),
        )
      }
      return count
    }
    const end = (await database.rows<{ letter: string }>(last, queue))[0]!.letter
    for (let at: string | undefined = '0'; at !== undefined;) {
      const from: string = at
      at = await database.transaction(async (transaction) => {
        const list = await transaction.rows<Letter>(next, queue, from, end, batch)
        count += await change(transaction, list)
        return list.at(-1)?.letter
      })
    }
    return count
  }
}

type Letter = Pick<LetterRow, 'letter' | 'record'>
/** What becomes of some letters. Gives how many it was done to. */
type Change = (transaction: Runner, list: readonly Letter[]) => Promise<number>

function moveLetters(transaction: Runner, queue: number, list: readonly Letter[]): Promise<number> {
  return transaction.run(
    moveBack,
    queue,
    list.map(({ letter }) => letter),
    list.map(({ record }) => trailOf(record)),
  )
}

async function replaceLetter(
  transaction: Runner,
  queue: number,
  list: readonly Letter[],
  { id, type, key, head, data: raw, deliverAt, delay }: Outgoing,
): Promise<number> {
  const [letter] = list
  if (letter === undefined) return 0
  const { data, bytes } = storedData(raw)
  const event = [id, type, key, encodeHead(head), data, bytes, deliverAt, delay, trailOf(letter.record)]
  const moved = await transaction.run(replaceBy, queue, ...event)
  return moved === 0 ? 0 : removeLetters(transaction, list)
}

function removeLetters(transaction: Runner, list: readonly Letter[]): Promise<number> {
  return transaction.run(
    remove,
    list.map(({ letter }) => letter),
  )
}

function storedLetter({ letter, name, id, type, key, head, record, ...data }: LetterRow): StoredDeadLetter {
  return {
    letter: name,
    cursor: letter,
    id,
    type,
    key: key ?? undefined,
    head: headOrNone(head),
    data: rawData(data),
    record: decodeRecord(record),
  }
}
