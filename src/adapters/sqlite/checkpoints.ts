import type { Checkpointer, Waiting } from './checkpoint-thread.ts'
import { isDiskError } from './failures.ts'
import type { Statements } from './statements.ts'

/** Pages of the log with which writing it back begins. Less often is faster: 4,000 make bulk publishing a third faster than 1,000. */
export const longLog = 4_000
/** So few left to write back are worth waiting for: the log begins anew only when none are. */
const few = 1_000
/**
 * A log that became so long although it is written back all the time: the disk is slower than those who write, and they wait for it,
 * the sync behind a pass included.
 */
const tooLong = 16_000

/** Says how long the log is, and does nothing. */
const measure = 'PRAGMA wal_checkpoint(NOOP)'

/** Before 3.51, SQLite took what it does not know for another kind of checkpoint. */
export function canBeMeasured(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 3 || minor >= 51
}

/**
 * Has the log written back into the file beside the event loop. SQLite does that in a commit, and everything in the process stands
 * still for 20 to 45 ms, again and again. A thread does it while others write, and the last part of it, which is short, while writes of
 * this process wait, and if that was not enough, those of all processes. Who writes little needs no thread, and who can have none leaves it to SQLite.
 */
export class Checkpoints {
  readonly #database: Statements
  readonly #begin: () => Promise<Checkpointer>
  #starting: Promise<void> | undefined
  #thread: Checkpointer | undefined
  #running: Promise<void> | undefined
  #pause: Promise<void> | undefined
  /** Since the log became long. */
  #last: Pass | undefined
  #refused: { readonly cause: unknown } | undefined

  constructor(database: Statements, begin: () => Promise<Checkpointer>) {
    this.#database = database
    this.#begin = begin
  }

  /** What the next write has to wait for. Never rejects. */
  get pause(): Promise<void> | undefined {
    return this.#pause
  }

  /**
   * To be called before each transaction. SQLite keeps to itself what it meets when a commit writes the log back, and the log may begin
   * anew though the file lacks a part of it: so whoever writes next is told here.
   * @throws once, what the disk refused
   */
  check(): void {
    const refused = this.#refused
    this.#refused = undefined
    if (refused !== undefined) throw refused.cause
  }

  /** To be called after each commit, which it must not fail. */
  look(): void {
    const length = this.#measured()
    const { log, checkpointed } = length
    // SQLite does it in commits until the thread is there.
    if (log >= few) this.#starting ??= this.#start()
    if (log < longLog) this.#last = undefined
    else if (this.#running === undefined && this.#thread !== undefined && this.#isWorthAPass(length)) {
      const waiting = log - checkpointed < few ? this.#whoWaits() : 'nobody'
      this.#last = { log, checkpointed, waiting }
      this.#running = this.#pass(this.#thread, waiting)
      if (waiting !== 'nobody') this.#pause = this.#running
    }
    if (log >= tooLong) this.#pause = this.#running
  }

  async close(): Promise<void> {
    await this.#running
    await this.#starting
    await this.#thread?.close()
  }

  #measured(): LogLength {
    try {
      return this.#database.get<LogLength>(measure)!
    } catch {
      return { log: 0, checkpointed: 0 } // somebody is mending the log; the next commit asks again
    }
  }

  /** Where a reader keeps the last pass from going on, it will not end from one commit to the next. */
  #isWorthAPass({ log, checkpointed }: LogLength): boolean {
    if (log === checkpointed) return false
    return this.#last === undefined || checkpointed > this.#last.checkpointed || log >= this.#last.log + few
  }

  /** The first time only this process: connections of the program itself may be used to be alone. */
  #whoWaits(): Waiting {
    return this.#last === undefined || this.#last.waiting === 'nobody' ? 'process' : 'machine'
  }

  async #start(): Promise<void> {
    try {
      this.#thread = await this.#begin()
      this.#leaveToCommits(false)
    } catch {
      // Threads are not allowed here: SQLite goes on doing it in commits.
    }
  }

  async #pass(thread: Checkpointer, waiting: Waiting): Promise<void> {
    try {
      await thread.pass(waiting)
    } catch (cause) {
      if (isDiskError(cause)) this.#refused = { cause }
      // Everything else, a full disk perhaps, commits will meet as well, and that is where it is told.
      this.#thread = undefined
      this.#leaveToCommits(true)
      await thread.close()
    }
    this.#running = undefined
    this.#pause = undefined
  }

  #leaveToCommits(yes: boolean): void {
    this.#database.run(`PRAGMA wal_autocheckpoint = ${yes ? longLog : 0}`)
  }
}

/** In pages. */
interface LogLength {
  readonly log: number
  readonly checkpointed: number
}

/** With the lengths at its beginning. */
interface Pass extends LogLength {
  readonly waiting: Waiting
}
