import { MillraceError } from 'millrace'
import {
  checkReplacement,
  decodeHead,
  type DeadLetterRecord,
  type Outgoing,
  type QueueCounts,
  type StoredDeadLetter,
  type Subscription,
  type TransportAdmin,
} from 'millrace/contract'
import { copy, ranOut, type ArrayQueue, type Letter } from './array-queue.ts'

/** @throws MillraceError UNKNOWN_QUEUE */
export function find(queues: ReadonlyMap<string, ArrayQueue>, name: string): ArrayQueue {
  const queue = queues.get(name)
  if (queue === undefined) throw new MillraceError('UNKNOWN_QUEUE', `There is no queue '${name}'`)
  return queue
}

export function same(one: Subscription, two: Subscription): boolean {
  return one.topic === two.topic && one.pattern === two.pattern
}

/** What operators do. */
export class ArrayAdmin implements TransportAdmin {
  readonly #queues: () => Map<string, ArrayQueue>

  constructor(queues: () => Map<string, ArrayQueue>) {
    this.#queues = queues
  }

  async queues(): Promise<readonly QueueCounts[]> {
    const queues = this.#queues()
    return [...queues.keys()].toSorted().map((name) => countsOf(find(queues, name)))
  }

  async deadLetters(queue: string, { limit, after = '0' }: { limit: number; after?: string | undefined }) {
    const behind = this.#queue(queue).letters.filter(({ number }) => number > Number(after))
    return behind.slice(0, limit).map(shown)
  }

  async deadLetter(queue: string, name: string): Promise<StoredDeadLetter | undefined> {
    const letter = this.#queue(queue).letters.find((one) => one.name === name)
    return letter === undefined ? undefined : shown(letter)
  }

  async redrive(name: string, names: readonly string[] | undefined, replace?: Outgoing): Promise<number> {
    checkReplacement(names, replace)
    const queue = this.#queue(name)
    const letters = takeOut(queue, names)
    for (const { entry, record } of letters) {
      const { firstFailedAt, history } = JSON.parse(record) as DeadLetterRecord
      queue.add(replace ?? { ...entry.event, deliverAt: undefined }, { firstFailedAt, history })
    }
    return letters.length
  }

  async purge(name: string, names: readonly string[] | undefined): Promise<number> {
    return takeOut(this.#queue(name), names).length
  }

  async removeQueue(name: string): Promise<number> {
    const queue = this.#queue(name)
    const count = queue.entries.length + queue.letters.length
    this.#queues().delete(name)
    queue.entries.length = 0
    queue.removed = true
    queue.changed()
    return count
  }

  async unbind(name: string, subscriptions: readonly Subscription[]): Promise<void> {
    const queue = this.#queue(name)
    const left = queue.spec.subscriptions.filter((one) => !subscriptions.some((two) => same(one, two)))
    queue.spec = { ...queue.spec, subscriptions: left }
  }

  async redriveUnrouted(): Promise<number> {
    this.#queues()
    return 0 // nothing is kept: `features.unrouted` is 'error'
  }

  #queue(name: string): ArrayQueue {
    return find(this.#queues(), name)
  }
}

function takeOut({ letters }: ArrayQueue, names: readonly string[] | undefined): readonly Letter[] {
  const taken = letters.filter(({ name }) => names === undefined || names.includes(name))
  for (const letter of taken) letters.splice(letters.indexOf(letter), 1)
  return taken
}

function shown({ name, number, entry, record }: Letter): StoredDeadLetter {
  const { id, type, key } = entry.event
  const head = decodeHead(entry.head)
  return {
    letter: name,
    cursor: String(number),
    id,
    type,
    key,
    head,
    data: copy(entry.event.data),
    record: JSON.parse(record) as DeadLetterRecord,
  }
}

function countsOf({ spec, entries, letters, settled }: ArrayQueue): QueueCounts {
  const now = Date.now()
  const free = entries.filter(({ held }) => held === undefined || ranOut(held))
  const ready = free.filter(({ due }) => due <= now)
  const later = free.filter(({ due }) => due > now)
  const recent = settled.filter(({ at }) => at > now - 60_000)
  return {
    name: spec.name,
    depth: ready.length,
    inFlight: entries.length - free.length,
    retrying: later.filter(({ failures }) => failures > 0).length,
    delayed: later.filter(({ failures }) => failures === 0).length,
    dead: letters.length,
    oldestMs: ready.length === 0 ? 0 : Math.max(...ready.map(({ takenAt }) => now - takenAt)),
    handledPerSecond: recent.filter(({ failed }) => !failed).length / 60,
    failedPerSecond: recent.filter(({ failed }) => failed).length / 60,
  }
}
