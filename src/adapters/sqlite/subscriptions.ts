import { keptOf } from '../../contract/declared.ts'
import { Routes, type Binding } from '../../contract/routes.ts'
import type { QueueSpec, Subscription } from '../../contract/transport.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import type { Database } from './database.ts'
import type { Statements } from './statements.ts'

/**
 * Which queues an event goes to. Remembered by each process; a counter in the file, read in every transaction that
 * publishes, tells it that another process has changed something.
 */
export class Subscriptions {
  readonly #database: Database
  #routes = new Routes<number>([])
  #generation = -1

  constructor(database: Database) {
    this.#database = database
  }

  /** Takes in what others have changed. At the start of a transaction, before it changes anything itself. */
  refresh(within: Statements): void {
    const { generation } = within.get<{ generation: number }>('SELECT generation FROM meta')!
    if (generation === this.#generation) return
    this.#routes = new Routes(
      within.all<Binding<number>>('SELECT queue, topic, pattern FROM subscriptions ORDER BY queue'),
    )
    this.#generation = generation
  }

  /** The queues that subscribe to the type. */
  route(topic: string, type: string): readonly number[] {
    return this.#routes.of(topic, type)
  }

  /** Makes those that are new, without subscriptions. Gives their names. Within a write transaction. */
  addQueues(specs: readonly QueueSpec[]): readonly string[] {
    const add = 'INSERT INTO queues (name, ordered) VALUES (?, ?) ON CONFLICT DO NOTHING'
    const added = specs.filter(({ name, order }) => this.#database.run(add, name, Number(order)) === 1)
    return added.map(({ name }) => name)
  }

  /** Adds subscriptions. Gives what the queues have besides, in words. Within a write transaction. */
  bind(specs: readonly QueueSpec[]): readonly string[] {
    const kept: string[] = []
    let changes = 0
    for (const spec of specs) {
      const queue = this.queue(spec.name)
      kept.push(...keptOf(spec, { subscriptions: this.of(queue), order: this.isOrdered(queue) }))
      for (const { topic, pattern } of spec.subscriptions) {
        const bind = 'INSERT INTO subscriptions VALUES (?, ?, ?) ON CONFLICT DO NOTHING'
        changes += this.#database.run(bind, queue, topic, pattern)
      }
    }
    if (changes > 0) this.#changed()
    return kept
  }

  /** What the queues have besides, in words; undefined unless they have all that is asked for. */
  declared(specs: readonly QueueSpec[]): readonly string[] | undefined {
    const kept: string[] = []
    for (const spec of specs) {
      const queue = this.find(spec.name)
      if (queue === undefined) return undefined
      const subscriptions = this.of(queue)
      const isNew = (one: Subscription): boolean =>
        !subscriptions.some(({ topic, pattern }) => topic === one.topic && pattern === one.pattern)
      if (spec.subscriptions.some(isNew)) return undefined
      kept.push(...keptOf(spec, { subscriptions, order: this.isOrdered(queue) }))
    }
    return kept
  }

  unbind(queue: number, subscriptions: readonly Subscription[]): void {
    for (const { topic, pattern } of subscriptions) {
      this.#database.run(
        'DELETE FROM subscriptions WHERE queue = ? AND topic = ? AND pattern = ?',
        queue,
        topic,
        pattern,
      )
    }
    this.#changed()
  }

  unbindAll(queue: number): void {
    this.#database.run('DELETE FROM subscriptions WHERE queue = ?', queue)
    this.#changed()
  }

  of(queue: number): readonly Subscription[] {
    return this.#database.all<Subscription>('SELECT topic, pattern FROM subscriptions WHERE queue = ?', queue)
  }

  /** The id of a queue. @throws MillraceError UNKNOWN_QUEUE */
  queue(name: string): number {
    const id = this.find(name)
    if (id === undefined)
      throw new MillraceError('UNKNOWN_QUEUE', `${this.#database.path} has no queue '${name}'`)
    return id
  }

  find(name: string): number | undefined {
    return this.#database.get<{ id: number }>('SELECT id FROM queues WHERE name = ?', name)?.id
  }

  isOrdered(queue: number): boolean {
    const row = this.#database.get<{ ordered: number }>('SELECT ordered FROM queues WHERE id = ?', queue)
    return row?.ordered === 1
  }

  #changed(): void {
    this.#database.run('UPDATE meta SET generation = generation + 1')
  }
}
