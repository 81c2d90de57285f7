import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { postgres } from '../../src/adapters/postgres/index.ts'
import { createEvent } from '../../src/event/event.ts'
import { encodeEvent } from '../../src/event/outgoing.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import type { Handled } from './ordered-worker.ts'

const worker = new URL('./ordered-worker.ts', import.meta.url)

/** Consumers of one ordered queue, and all that they tell. */
class Workers {
  readonly handled: Handled[] = []
  readonly #url: string
  readonly #queue: string
  readonly #lease: number
  readonly running: ChildProcess[] = []

  constructor(url: string, queue: string, lease: number) {
    this.#url = url
    this.#queue = queue
    this.#lease = lease
  }

  async join(): Promise<ChildProcess> {
    const child = fork(worker, [this.#url, this.#queue, String(this.#lease)])
    this.running.push(child)
    await once(child, 'message')
    child.on('message', (list) => this.handled.push(...(list as Handled[])))
    return child
  }

  async leave(): Promise<void> {
    const child = this.running.shift()!
    child.send('stop')
    await once(child, 'exit')
  }

  async kill(): Promise<void> {
    const child = this.running.shift()!
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  /** One stands still for so long. */
  async freeze(ms: number): Promise<void> {
    const child = this.running[0]!
    child.kill('SIGSTOP')
    await sleep(ms)
    child.kill('SIGCONT')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    while (this.running.length > 0) await this.kill()
  }
}

/** Who had an event of a key while somebody had another one of it, or after a later one. */
function disorder(handled: readonly Handled[], places: ReadonlyMap<string, number>): readonly string[] {
  const found: string[] = []
  for (const [key, list] of Map.groupBy(handled, (one) => one.key)) {
    const sorted = list.toSorted((a, b) => places.get(a.id)! - places.get(b.id)!)
    for (const [i, one] of sorted.entries()) {
      const before = sorted[i - 1]
      // What one exchange gives belongs to one session, which keeps the order itself, though it may lose the first of two.
      if (before !== undefined && before.to > one.from && !one.among.includes(before.id))
        found.push(`${key}: ${places.get(one.id)} began before ${places.get(before.id)} ended`)
    }
  }
  return found
}

await describeWithServer('postgres', (url) => {
  const open = (): ReturnType<typeof postgres> => postgres(`${url}?schema=slots`)

  async function publishing(
    queue: string,
    count: number,
    keys: number,
    workers: Workers,
    meanwhile: () => Promise<void>,
    /** What a process that is killed had no time to tell. */
    untold = 0,
  ): Promise<void> {
    await using transport = open()
    await transport.declare([
      { name: queue, subscriptions: [{ topic: queue, pattern: '*' }], from: 'now', order: true },
    ])
    const places = new Map<string, number>()
    await workers.join()
    const over = new AbortController()
    const moving = meanwhile().finally(() => over.abort())
    while (places.size < count || !over.signal.aborted) {
      const events = Array.from({ length: 20 }, () => {
        const event = createEvent('numbered', 0, {
          topic: queue,
          key: `key ${Math.floor(Math.random() * keys)}`,
        })
        places.set(event.id, places.size)
        return encodeEvent(event)
      })
      await transport.publish(events)
      await sleep(10)
    }
    await moving
    const left = async (): Promise<number> => {
      const { depth, inFlight } = (await transport.admin.queues()).find(({ name }) => name === queue)!
      return depth + inFlight
    }
    await expect.poll(left, { timeout: 30_000 }).toBe(0)
    while (workers.running.length > 0) await workers.leave()
    const ids = new Set(workers.handled.map(({ id }) => id))
    expect(workers.handled.length, 'an event was handled twice').toBe(ids.size)
    expect(ids.size, 'events that nobody has told of').toBeGreaterThanOrEqual(places.size - untold)
    expect(disorder(workers.handled, places)).toEqual([])
  }

  test(
    'keys keep their order, and are with one process at a time, while processes come and go',
    { timeout: 120_000 },
    async () => {
      const queue = `moving-${process.pid}`
      await using workers = new Workers(`${url}?schema=slots`, queue, 10_000)
      await publishing(queue, 3_000, 50, workers, async () => {
        for (let i = 0; i < 4; i++) {
          await workers.join()
          await sleep(400)
          await workers.join()
          await sleep(400)
          await workers.leave()
          await sleep(300)
        }
      })
    },
  )

  test(
    'what a killed process had comes to another one when its lease has run out',
    { timeout: 60_000 },
    async () => {
      const queue = `killed-${process.pid}`
      await using workers = new Workers(`${url}?schema=slots`, queue, 1_000)
      await publishing(
        queue,
        800,
        20,
        workers,
        async () => {
          await workers.join()
          await sleep(500)
          await workers.kill()
          await sleep(500)
          await workers.join()
        },
        30,
      )
    },
  )

  test(
    'who stands still for longer than his lease claims and settles nothing that others have by then',
    { timeout: 60_000 },
    async () => {
      const queue = `frozen-${process.pid}`
      await using workers = new Workers(`${url}?schema=slots`, queue, 500)
      await publishing(queue, 800, 20, workers, async () => {
        await workers.join()
        for (let i = 0; i < 2; i++) {
          await sleep(500)
          await workers.freeze(2_500)
        }
      })
    },
  )
})
