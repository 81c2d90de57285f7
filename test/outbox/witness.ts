import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished } from 'vitest'
import { millrace, type App, type MillraceEvent } from '../../src/index.ts'
import { numbered } from './shop.ts'

const program = fileURLToPath(new URL('./relay-process.ts', import.meta.url))

/** Starts a process that relays from the outbox, a file or the URL of a Postgres, to the transport. */
export async function startRelay(outbox: string, url: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [program, outbox, url], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return child
}

/** What arrives in a queue at the other end. */
export class Witness {
  /** By id, the number that each event carries, in the order of the first arrivals. */
  readonly first = new Map<string, number>()
  arrivals = 0
  readonly #app: App
  #look: () => void = () => {}

  constructor(url: string) {
    this.#app = millrace({ transport: url, logger: false })
    onTestFinished(() => this.#app.stop({ timeout: 0 }))
    this.#app.queue('witness', { order: { by: 'key' } }).on('order.placed', ({ id, data }) => {
      this.arrivals++
      if (!this.first.has(id)) this.first.set(id, data as number)
      this.#look()
    })
  }

  start(): Promise<void> {
    return this.#app.start()
  }

  /** Resolves when so many different events have arrived. */
  seen(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#look = () => this.first.size >= count && resolve()
      this.#look()
    })
  }

  /** Nothing is missing, nothing else came, and each key came in its order. */
  expectAll(ids: readonly string[], keys: number): void {
    expect([...this.first.keys()].toSorted()).toEqual(ids.toSorted())
    const byKey = Map.groupBy(this.first.values(), (n) => n % keys)
    for (const list of byKey.values()) expect(list).toEqual(list.toSorted((a, b) => a - b))
  }
}

/** Publishes in many transactions, each tenth of which is rolled back. Gives the ids of those that were committed. */
export async function publishAll(
  publish: (events: readonly MillraceEvent[], end: 'COMMIT' | 'ROLLBACK') => Promise<unknown>,
  count: number,
  keys: number,
): Promise<readonly string[]> {
  const events = numbered(count, (n) => `k${n % keys}`)
  const committed: string[] = []
  for (let at = 0, i = 0; at < count; at += 10, i++) {
    const some = events.slice(at, at + 10)
    const end = i % 10 === 9 ? 'ROLLBACK' : 'COMMIT'
    await publish(some, end)
    if (end === 'COMMIT') committed.push(...some.map(({ id }) => id))
    // Others want to write into the outbox, too.
    await new Promise((resolve) => setImmediate(resolve))
  }
  return committed
}
