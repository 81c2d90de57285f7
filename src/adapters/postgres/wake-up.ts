import { randomUUID } from 'node:crypto'
import { systemClock } from '../../clock/clock.ts'
import type { Notice } from '../../contract/transport.ts'
import { channelOf } from './channel.ts'
import type { Database } from './database.ts'
import { Listener } from './listener.ts'

export interface WakeUpOptions {
  readonly wake: 'notify' | 'interval' | 'both'
  /** Milliseconds. */
  readonly pollInterval: number
}

/** How often is looked while nothing is heard that should be, and where only notifications are to wake, in milliseconds. */
const fastPoll = 250
const slowPoll = 3_000
/** Notifications are sent no more often than this, in milliseconds: each one takes a lock of the whole server. */
const notifyEvery = 5

/** That a notification is safe on the disk is no use to anybody, so it does not wait for that. */
const notify = `
  SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, payload) FROM unnest($2::text[]) payload`

interface Queue {
  count: number
  readonly waiting: Set<() => void>
  readonly sharing: Set<() => void>
}

/**
 * Tells the sessions of this process, and by NOTIFY those of others, that there may be something to take. It is a hint,
 * sent after the commit: a crash may lie between, so sessions also look by themselves now and then.
 */
export class WakeUp {
  readonly #database: Database
  readonly #options: WakeUpOptions
  readonly #channel: string
  readonly #queues = new Map<number, Queue>()
  readonly #listeners = new Set<(notice: Notice) => void>()
  readonly #unsent = new Set<string>()
  /** Stands in what this process notifies: it knows that already. */
  readonly #own = randomUUID()
  #listener: Listener | undefined
  #sending: Promise<void> | undefined
  #state: 'listening' | 'deaf' | 'not yet' = 'not yet'
  #degraded: Notice | undefined
  #closed = false

  constructor(database: Database, options: WakeUpOptions) {
    this.#database = database
    this.#options = options
    this.#channel = channelOf(database.schema)
  }

  /** How often a session that waits looks by itself, in milliseconds. */
  get pollEvery(): number {
    const { wake, pollInterval } = this.#options
    if (wake === 'interval') return pollInterval
    const usual = wake === 'notify' ? slowPoll : pollInterval
    return this.#state === 'listening' ? usual : Math.min(usual, fastPoll)
  }

  /** Grows whenever there may be something new. */
  count(queue: number): number {
    return this.#queue(queue).count
  }

  /** Begins to listen for a session, which hears of degradation, and of slots that move. Returns the end of it. */
  join(queue: number, notice: (notice: Notice) => void, slotsMove: () => void): () => void {
    const { sharing } = this.#queue(queue)
    sharing.add(slotsMove)
    this.#listeners.add(notice)
    if (this.#degraded !== undefined) notice(this.#degraded)
    if (this.#options.wake !== 'interval' && !this.#closed) this.#listener ??= this.#listen()
    return () => {
      sharing.delete(slotsMove)
      this.#listeners.delete(notice)
    }
  }

  /** Calls `run` at every hint until it is taken back. */
  onHint(queue: number, run: () => void): () => void {
    const { waiting } = this.#queue(queue)
    waiting.add(run)
    return () => void waiting.delete(run)
  }

  /** For everybody: something was committed that others may take from these queues. */
  announce(queues: Iterable<number>): void {
    for (const queue of queues) {
      this.hint(queue)
      this.#notify(`${queue} ${this.#own}`)
    }
  }

  /** For everybody: slots of the queue are wanted, or free. */
  announceSlots(queue: number): void {
    for (const run of this.#queue(queue).sharing) run()
    this.#notify(`${queue} ${this.#own} slots`)
  }

  /** For sessions of this process. */
  hint(id: number): void {
    const queue = this.#queue(id)
    queue.count++
    for (const run of queue.waiting) run()
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#sending
    await this.#listener?.close()
  }

  #listen(): Listener {
    return new Listener(this.#database, {
      heard: (payload) => {
        const [queue, by, what] = payload.split(' ')
        if (by === this.#own) return
        if (what === 'slots') for (const run of this.#queue(Number(queue)).sharing) run()
        else this.hint(Number(queue))
      },
      begins: () => {
        this.#state = 'listening'
        if (this.#degraded !== undefined) {
          this.#tell({ code: 'CONNECTION_LOST', message: 'Notifications of new events are heard again' })
          this.#degraded = undefined
        }
        this.#hintAll()
      },
      ended: (cause) => {
        this.#state = 'not yet'
        if (this.#degraded !== undefined) return
        this.#degraded = {
          code: 'CONNECTION_LOST',
          message: `Notifications of new events are not heard; looking every ${this.pollEvery} ms instead`,
          cause,
        }
        this.#tell(this.#degraded)
        this.#hintAll()
      },
      deaf: () => {
        this.#state = 'deaf'
        const message = `Notifications of new events do not arrive, as behind a pooler of transactions; looking every ${this.pollEvery} ms instead`
        this.#degraded = { code: 'WAKE_UP_DEGRADED', message }
        this.#tell(this.#degraded)
        this.#hintAll()
      },
    })
  }

  #tell(notice: Notice): void {
    for (const listener of this.#listeners) listener(notice)
  }

  #hintAll(): void {
    for (const [id, { sharing }] of this.#queues) {
      this.hint(id)
      for (const run of sharing) run()
    }
  }

  #notify(payload: string): void {
    if (this.#options.wake === 'interval' || this.#closed) return
    this.#unsent.add(payload)
    this.#sending ??= this.#send().finally(() => (this.#sending = undefined))
  }

  async #send(): Promise<void> {
    while (this.#unsent.size > 0) {
      const payloads = [...this.#unsent]
      this.#unsent.clear()
      const next = systemClock.monotonic() + notifyEvery
      // Who is not reached looks by himself; that the database cannot be reached, whoever uses it tells.
      await this.#database.rows(notify, this.#channel, payloads).catch(() => undefined)
      const left = next - systemClock.monotonic()
      if (left > 0 && !this.#closed) await new Promise<void>((resolve) => systemClock.after(left, resolve))
    }
  }

  #queue(id: number): Queue {
    let queue = this.#queues.get(id)
    if (queue === undefined) {
      queue = { count: 0, waiting: new Set(), sharing: new Set() }
      this.#queues.set(id, queue)
    }
    return queue
  }
}
