import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { MillraceError } from '../../errors/millrace-error.ts'
import { checkpointThread } from './checkpoint-thread.ts'
import { Checkpoints } from './checkpoints.ts'
import { isBusy, isDiskError, storeError } from './failures.ts'
import { formatOf } from './format.ts'
import { version } from './schema.ts'
import type { Statements, Values } from './statements.ts'
import type { LogSync } from './log-sync.ts'

/** A transaction that the disk refused to keep: it may or may not be there after a restart. */
export class CommitUnknown extends MillraceError {}

/**
 * One connection. All work is synchronous and short, and a transaction never stays open across an await. SQLite never
 * waits for a lock on the event loop: while another connection writes, the work is tried again after a random pause.
 */
export class Database implements Statements {
  readonly path: string
  readonly #sqlite: DatabaseSync
  readonly #busyLimit: number
  readonly #log: LogSync | undefined
  readonly #statements = new Map<string, StatementSync>()
  #checkpoints: Checkpoints | undefined
  /** The disk did not take a part of the log, and why. What is behind that part is lost with it in a power cut. */
  #gap: { readonly cause: unknown } | undefined
  #closed = false
  #waits = 0

  /** @param log none: what is committed survives the process, but not a power cut */
  constructor(sqlite: DatabaseSync, path: string, busyLimit: number, log: LogSync | undefined) {
    this.#sqlite = sqlite
    this.path = path
    this.#busyLimit = busyLimit
    this.#log = log
  }

  /**
   * From now on the log is written back beside the event loop. Needs SQLite 3.51.
   * @param begin for tests
   */
  checkpointBeside(begin = checkpointThread): void {
    this.#checkpoints = new Checkpoints(this, () => begin(this.path))
  }

  /** Runs work that reads. @throws MillraceError a STORE_ code, STOPPED */
  read<T>(work: () => T): Promise<T> {
    return this.#untilFree(work)
  }

  /**
   * Runs work in one write transaction; it is committed as safely as `durability` says when the promise resolves. Others see
   * it before. The work may be run again if the file was busy, so it changes nothing but the database.
   */
  async write<T>(work: () => T, signal?: AbortSignal): Promise<T> {
    const result = await this.commit(work, signal)
    await this.keep()
    return result
  }

  /** As `write`, for what may be lost in a power cut: it resolves when others see it. */
  commit<T>(work: () => T, signal?: AbortSignal): Promise<T> {
    const commit = (): Promise<T> => this.#untilFree(() => this.#transaction(work), signal)
    const pause = this.#checkpoints?.pause
    return pause === undefined ? commit() : pause.then(commit)
  }

  /** Makes all that was committed as safe as `durability` says. @throws CommitUnknown */
  async keep(): Promise<void> {
    try {
      await this.#log?.flush()
    } catch (error) {
      this.#gap ??= { cause: error }
    }
    const gap = this.#gap
    if (gap === undefined) return
    // A later sync may have been well, but what it brought to the disk stands behind the gap.
    try {
      await this.#untilFree(() => this.#mend())
    } catch {
      const { code, message } = storeError(gap.cause, this.path)
      throw new CommitUnknown(code, message, gap)
    }
  }

  /** `keep` in the event loop, if that takes no longer than leaving it. Tells whether it was done. */
  keepNow(): boolean {
    if (this.#log === undefined) return true
    try {
      return this.#gap === undefined && this.#log.flushNow()
    } catch (error) {
      this.#gap = { cause: error }
      return false
    }
  }

  /** Prepared once. For loops; `all`, `get` and `run` are for everything else. */
  statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#sqlite.prepare(sql)
      statement.setAllowUnknownNamedParameters(true)
      this.#statements.set(sql, statement)
    }
    return statement
  }

  all<Row>(sql: string, ...values: Values): Row[] {
    return this.statement(sql).all(...(values as SQLInputValue[])) as Row[]
  }

  /** Rows as arrays. A statement is used with `arrays` always or never. */
  arrays<Row>(sql: string, ...values: Values): Row[] {
    const statement = this.statement(sql)
    statement.setReturnArrays(true)
    return statement.all(...(values as SQLInputValue[])) as unknown as Row[]
  }

  /** Rows as arrays, one after the other: for large ones, of which all at once would not fit into memory. Used as `arrays`. */
  each<Row>(sql: string, ...values: Values): Iterable<Row> {
    const statement = this.statement(sql)
    statement.setReturnArrays(true)
    return statement.iterate(...(values as SQLInputValue[])) as Iterable<unknown> as Iterable<Row>
  }

  get<Row>(sql: string, ...values: Values): Row | undefined {
    return this.statement(sql).get(...(values as SQLInputValue[])) as Row | undefined
  }

  /** Gives the number of rows changed. */
  run(sql: string, ...values: Values): number {
    return this.statement(sql).run(...(values as SQLInputValue[])).changes as number
  }

  /** Several statements without values. */
  script(sql: string): void {
    this.#sqlite.exec(sql)
  }

  /** How many times something had to wait for another connection. */
  get waits(): number {
    return this.#waits
  }

  /** Another number than before if another connection has committed something meanwhile. */
  changes(): number {
    return this.get<{ data_version: number }>('PRAGMA data_version')!.data_version
  }

  /** The last connection of all processes writes the log back into the file and removes it, so that one file is left. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#checkpoints?.close()
    await this.#log?.close()
    this.#statements.clear()
    this.#sqlite.close()
  }

  async #untilFree<T>(work: () => T, signal?: AbortSignal): Promise<T> {
    let giveUp: number | undefined
    for (;;) {
      if (this.#closed) throw new MillraceError('STOPPED', `${this.path} is closed`)
      signal?.throwIfAborted()
      try {
        return work()
      } catch (error) {
        giveUp ??= performance.now() + this.#busyLimit
        if (!isBusy(error) || performance.now() >= giveUp) throw this.#failure(error)
      }
      this.#waits++
      // Random, so that processes that met once do not meet again. Keeps the process alive: somebody waits for this.
      await sleep(Math.random() * 3)
    }
  }

  #transaction<T>(work: () => T): T {
    this.#checkpoints?.check()
    this.#mend()
    this.run('BEGIN IMMEDIATE')
    let committing = false
    let result: T
    try {
      result = work()
      committing = true
      this.run('COMMIT')
    } catch (error) {
      // After some errors, a full disk among them, SQLite has rolled back by itself.
      if (this.#sqlite.isTransaction) this.run('ROLLBACK')
      if (!committing || !isDiskError(error)) throw error
      const { code, message } = storeError(error, this.path)
      throw new CommitUnknown(code, message, { cause: error })
    }
    this.#checkpoints?.look()
    return result
  }

  /** Where a newer version has changed the tables meanwhile, SQLite only says what it does not find. */
  #failure(error: unknown): MillraceError {
    const failure = storeError(error, this.path)
    if (failure.code !== 'STORE_FAILED' || isDiskError(error)) return failure
    const found = formatOf(this)
    if (found <= version) return failure
    const message = `${this.path} has format ${found} since a newer version of millrace opened it: this process has to be started again with that version`
    return new MillraceError('STORE_INCOMPATIBLE', message, { cause: error })
  }

  /** Once there is a gap: writes the log back into the file, and begins a new one. */
  #mend(): void {
    if (this.#gap === undefined) return
    const { busy } = this.get<{ busy: number }>('PRAGMA wal_checkpoint(TRUNCATE)')!
    if (busy === 1)
      throw new MillraceError('STORE_BUSY', `${this.path}: a reader holds up the mending of its log`)
    this.#gap = undefined
  }
}
