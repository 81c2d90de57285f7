import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { PublishError } from '../../src/index.ts'
import { Numbers } from './ledger.ts'
import type { Load, Overload } from './path.ts'

export const type = 'order.placed'
/** Publishes that are begun in each turn of the event loop, by a producer that waits for none. */
const eachTurn = 2_000

/** Publishes one event after the other, each of so many bytes. */
class Producer {
  readonly #overload: Overload
  readonly #numbers = new Numbers()
  readonly #note: string

  constructor(overload: Overload, bytes: number) {
    this.#overload = overload
    this.#note = 'x'.repeat(bytes)
  }

  /** Never rejects for what a publish may fail with: the ledger has it. */
  async publish(): Promise<void> {
    const { app, ledger } = this.#overload
    const n = this.#numbers.take()
    try {
      await app.publish(type, { n, note: this.#note } satisfies Load)
      ledger.taken(n)
    } catch (error) {
      if (!(error instanceof PublishError)) throw error
      if (error.results[0] === 'unknown') return ledger.unsure(n, error.code)
      ledger.refused(error.code)
      this.#numbers.giveBack(n)
    }
  }
}

/** A producer that waits for nothing, whatever it is told. */
export function unawaited(bytes: number): (overload: Overload) => Promise<void> {
  return async (overload) => {
    const producer = new Producer(overload, bytes)
    const open = new Set<Promise<void>>()
    const begin = (): void => {
      const ended = producer.publish().finally(() => open.delete(ended))
      open.add(ended)
    }
    while (!overload.over.aborted) {
      for (let i = 0; i < eachTurn; i++) begin()
      await turn()
    }
    await Promise.all(open)
  }
}

/** Publishers that wait for each of their events, so many at once. */
export function awaited(bytes: number, publishers: number): (overload: Overload) => Promise<void> {
  return async (overload) => {
    const producer = new Producer(overload, bytes)
    const one = async (): Promise<void> => {
      while (!overload.over.aborted) await producer.publish()
    }
    await Promise.all(Array.from({ length: publishers }, one))
  }
}

/** A publisher that always has so many events waiting, and so does not fill the disk. */
export function ahead(bytes: number, events: number): (overload: Overload) => Promise<void> {
  return async (overload) => {
    const producer = new Producer(overload, bytes)
    while (!overload.over.aborted) {
      if (overload.ledger.open < events) await producer.publish()
      else await sleep(20)
    }
  }
}
