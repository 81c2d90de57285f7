import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { customerOf, idOf, order } from '../load.ts'
import type { BenchFile } from './file.ts'

/** What is put. */
export interface Load {
  readonly keyOf?: (n: number) => string
  readonly dataOf?: (n: number) => unknown
  /** When it is due, in milliseconds since 1970; none: at once. */
  readonly due?: number
}

/** What any loop over a queue in SQLite does: put many in one transaction, take many and remove what was taken before. */
export interface RawQueue extends Disposable {
  put(from: number, count: number, load?: Load): void
  /** Gives the data of what was taken. */
  take(limit: number): readonly string[]
  /** How many events are in it, taken or not. */
  size(): number
}

/** Many in one transaction, before anything is measured. */
export function fill(queue: RawQueue, count: number, load: Load = {}): void {
  for (let from = 0; from < count; from += 5_000) queue.put(from, Math.min(5_000, count - from), load)
}

/** A bare loop on our own tables, writing the bytes that we write. */
export class OurTables implements RawQueue {
  readonly #sqlite: DatabaseSync
  readonly #insert: StatementSync
  /** In the order of the columns that are written. */
  readonly #columns: readonly (readonly [name: string, value: SQLInputValue])[]
  /** Their places among the columns. */
  readonly #varying: readonly [id: number, key: number, due: number, data: number]
  readonly #queue: number
  readonly #last: StatementSync
  readonly #makeReady: StatementSync
  readonly #claim: StatementSync
  readonly #hold: StatementSync
  readonly #leave: StatementSync
  readonly #release: StatementSync
  readonly #remove: StatementSync
  #held: readonly number[] = []

  constructor(file: BenchFile) {
    this.#sqlite = connect(file.path, file)
    this.#queue = file.sample['queue'] as number
    this.#columns = writtenColumns(this.#sqlite, file)
    const names = this.#columns.map(([name]) => name)
    this.#varying = [names.indexOf('id'), names.indexOf('key'), names.indexOf('due'), names.indexOf('data')]
    this.#insert = this.#sqlite.prepare(
      `INSERT INTO events (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})`,
    )
    this.#last = this.#sqlite.prepare('SELECT ifnull(max(seq), 0) AS seq FROM events')
    this.#makeReady = this.#sqlite.prepare(
      'INSERT INTO ready SELECT queue, seq, key FROM events WHERE seq > ? AND due IS NULL',
    )
    this.#claim = this.#sqlite.prepare(`SELECT r.seq, e.data, e.id, e.type, e.key, e.head
      FROM ready r JOIN events e ON e.seq = r.seq WHERE r.queue = ? ORDER BY r.seq LIMIT ?`)
    this.#claim.setReturnArrays(true)
    this.#hold = this.#sqlite.prepare(`INSERT INTO held (seq, queue, holder, claim, lease, lone)
      SELECT seq, queue, 1, 1, 1e15, 0 FROM ready WHERE queue = ? AND seq <= ?`)
    this.#leave = this.#sqlite.prepare('DELETE FROM ready WHERE queue = ? AND seq <= ?')
    this.#release = this.#sqlite.prepare('DELETE FROM held WHERE seq IN (SELECT value FROM json_each(?))')
    this.#remove = this.#sqlite.prepare('DELETE FROM events WHERE seq IN (SELECT value FROM json_each(?))')
  }

  put(from: number, count: number, { keyOf = customerOf, dataOf = order, due }: Load = {}): void {
    const values = this.#columns.map(([, value]) => value)
    const [id, key, dueAt, data] = this.#varying
    values[dueAt] = due ?? null
    this.#sqlite.exec('BEGIN IMMEDIATE')
    const last = this.#last.get()!['seq'] as number
    for (let n = from; n < from + count; n++) {
      values[id] = idOf(n)
      values[key] = keyOf(n)
      values[data] = JSON.stringify(dataOf(n))
      this.#insert.run(...values)
    }
    this.#makeReady.run(last)
    this.#sqlite.exec('COMMIT')
  }

  take(limit: number): readonly string[] {
    this.#sqlite.exec('BEGIN IMMEDIATE')
    if (this.#held.length > 0) {
      const done = JSON.stringify(this.#held)
      this.#release.run(done)
      this.#remove.run(done)
    }
    const rows = this.#claim.all(this.#queue, limit) as unknown as readonly (readonly [
      seq: number,
      data: string,
    ])[]
    this.#held = rows.map(([seq]) => seq)
    const last = this.#held.at(-1)
    if (last !== undefined) {
      this.#hold.run(this.#queue, last)
      this.#leave.run(this.#queue, last)
    }
    this.#sqlite.exec('COMMIT')
    return rows.map(([, data]) => data)
  }

  size(): number {
    return countOf(this.#sqlite, 'events')
  }

  [Symbol.dispose](): void {
    this.#sqlite.close()
  }
}

const varying = ['id', 'key', 'due', 'data']

/** The columns that a publish has to write, with the values of the sample: the others stand at what the table gives them. */
function writtenColumns(
  connection: DatabaseSync,
  { sample }: BenchFile,
): readonly (readonly [name: string, value: SQLInputValue])[] {
  const table = connection.prepare('PRAGMA table_info(events)').all() as unknown as readonly {
    readonly name: string
    readonly dflt_value: string | null
  }[]
  return table
    .filter(({ name, dflt_value }) => varying.includes(name) || String(sample[name]) !== String(dflt_value))
    .filter(({ name }) => name !== 'seq')
    .map(({ name }) => [name, sample[name] ?? null])
}

function connect(path: string, { pragmas }: BenchFile): DatabaseSync {
  const connection = new DatabaseSync(path, { timeout: 10_000 })
  connection.exec('PRAGMA journal_mode = WAL')
  for (const [name, value] of Object.entries(pragmas)) connection.exec(`PRAGMA ${name} = ${value}`)
  return connection
}

function countOf(connection: DatabaseSync, table: string): number {
  return connection.prepare(`SELECT count(*) AS count FROM ${table}`).get()!['count'] as number
}

export const minimalTables = `CREATE TABLE m (id INTEGER PRIMARY KEY, due INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
  lease INTEGER, body TEXT NOT NULL); CREATE INDEX m_due ON m (due, id)`

/** The least table that keeps a lease and a date: what our columns and indexes cost shows against it. */
export class MinimalTable implements RawQueue {
  readonly #sqlite: DatabaseSync
  readonly #insert: StatementSync
  readonly #claim: StatementSync
  readonly #remove: StatementSync
  #held: readonly number[] = []

  constructor(file: BenchFile) {
    this.#sqlite = connect(`${file.path}-minimal`, file)
    this.#sqlite.exec(minimalTables)
    this.#insert = this.#sqlite.prepare('INSERT INTO m (due, body) VALUES (0, ?)')
    this.#claim = this.#sqlite.prepare(`UPDATE m SET due = 1e15, attempts = attempts + 1, lease = 1
      WHERE id IN (SELECT id FROM m WHERE due <= 1 ORDER BY due, id LIMIT ?) RETURNING id, body`)
    this.#claim.setReturnArrays(true)
    this.#remove = this.#sqlite.prepare('DELETE FROM m WHERE id IN (SELECT value FROM json_each(?))')
  }

  put(from: number, count: number): void {
    this.#sqlite.exec('BEGIN IMMEDIATE')
    for (let n = from; n < from + count; n++) this.#insert.run(JSON.stringify(order(n)))
    this.#sqlite.exec('COMMIT')
  }

  take(limit: number): readonly string[] {
    this.#sqlite.exec('BEGIN IMMEDIATE')
    if (this.#held.length > 0) this.#remove.run(JSON.stringify(this.#held))
    const rows = this.#claim.all(limit) as unknown as readonly (readonly [id: number, body: string])[]
    this.#held = rows.map(([id]) => id)
    this.#sqlite.exec('COMMIT')
    return rows.map(([, body]) => body)
  }

  size(): number {
    return countOf(this.#sqlite, 'm')
  }

  [Symbol.dispose](): void {
    this.#sqlite.close()
  }
}
