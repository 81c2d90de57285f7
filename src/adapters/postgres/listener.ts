import { randomUUID } from 'node:crypto'
import { pause, systemClock } from '../../clock/clock.ts'
import { channelOf } from './channel.ts'
import type { Database } from './database.ts'

/** Waits between two tries to listen again, the first and the longest, in milliseconds. */
const firstWait = 100
const longestWait = 5_000
/** How long a message to oneself may take, before it counts as lost, in milliseconds. */
const echoLimit = 3_000
/** A connection may be cut without anybody having told: it is asked now and then, in milliseconds. */
const askEvery = 15_000

export interface ListenerEvents {
  /** Something was notified by another connection. */
  heard(payload: string): void
  /** It listens now; what was notified before was not heard. */
  begins(): void
  ended(cause: unknown): void
  /** It cannot be heard, though the server says it can be: there is a pooler between. Nothing more is tried. */
  deaf(): void
}

/** A connection that listens, and is made anew when it breaks. */
export class Listener {
  readonly #database: Database
  readonly #channel: string
  readonly #events: ListenerEvents
  readonly #end = new AbortController()
  readonly #done: Promise<void>

  constructor(database: Database, events: ListenerEvents) {
    this.#database = database
    this.#channel = channelOf(database.schema)
    this.#events = events
    this.#done = this.#run()
  }

  close(): Promise<void> {
    this.#end.abort()
    return this.#done
  }

  async #run(): Promise<void> {
    const { signal } = this.#end
    for (let wait = firstWait; !signal.aborted; wait = Math.min(2 * wait, longestWait)) {
      let heardItself = true
      try {
        heardItself = await this.#listen(() => (wait = firstWait))
      } catch (error) {
        if (!signal.aborted) this.#events.ended(error)
      }
      if (!heardItself) return this.#events.deaf()
      await pause(systemClock, wait, signal)
    }
  }

  /** Listens until the connection breaks, which rejects, or until the end. False if it does not hear what it notifies. */
  async #listen(begins: () => void): Promise<boolean> {
    const { signal } = this.#end
    const connection = await this.#database.connect()
    const broken = new AbortController()
    const over = AbortSignal.any([signal, broken.signal])
    const fail = (error: Error): void => broken.abort(error)
    let echo: string | undefined = randomUUID()
    const echoed = new AbortController()
    connection.on('error', fail)
    connection.on('notification', ({ channel, payload = '' }) => {
      if (channel !== this.#channel || over.aborted) return
      if (payload === echo) echoed.abort()
      else this.#events.heard(payload)
    })
    try {
      await connection.query({ text: `LISTEN ${this.#channel}`, query_timeout: askEvery })
      await this.#database.rows('SELECT pg_notify($1, $2)', this.#channel, echo)
      await pause(systemClock, echoLimit, AbortSignal.any([over, echoed.signal]))
      if (!echoed.signal.aborted && !over.aborted) {
        // The connection behind the pooler should not go on to hear it for others.
        await connection.query({ text: `UNLISTEN ${this.#channel}`, query_timeout: askEvery })
        return false
      }
      echo = undefined
      begins()
      this.#events.begins()
      while (!over.aborted) {
        await pause(systemClock, askEvery, over)
        if (!over.aborted) await connection.query({ text: 'SELECT 1', query_timeout: askEvery })
      }
      broken.signal.throwIfAborted()
      return true
    } finally {
      // It listens: nobody else may get it.
      this.#database.release(connection, true)
    }
  }
}
