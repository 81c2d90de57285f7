import { expect } from 'vitest'
import type { Features } from '../../contract/features.ts'
import type { Transport } from '../../contract/transport.ts'
import type { QueueCounts } from '../../contract/transport-admin.ts'
import { createEvent } from '../../event/event.ts'
import { encodeEvent } from '../../event/outgoing.ts'
import { Watch } from './watch.ts'
import { WorkerProcess } from './worker-process.ts'
import type { Errand, Line, TransportModule, WorkerOptions, WorkerSetup } from './protocol.ts'

/** What the suite needs to know to run a transport in several processes. */
export interface ProcessesUnderTest {
  /**
   * The URL of a module that exports `open(place: string)`, which gives a transport on the system at that place. Worker
   * processes import it with plain Node.
   */
  readonly module: URL
  /** Where the system is: a URL, a path. It may hold queues of other tests: names are never used twice. */
  place(): string | Promise<string>
  /** Cases that cannot pass, by their names, each with its reason. */
  readonly skip?: readonly { readonly test: string; readonly reason: string }[]
  /** The shortest lease that the system can keep, in milliseconds. Default 1,000. */
  readonly lease?: number
  /** How long one wait of a case may take before the case fails, in milliseconds. Default 30,000. */
  readonly patience?: number
}

/** One promise that only shows between processes. `run` rejects if it is not kept. */
export interface ProcessCase {
  readonly name: string
  /** Whether the queue is in order by key. Default false. */
  readonly order?: boolean
  unless?(features: Features): string | undefined
  run(bench: ProcessBench): Promise<void>
}

/** How long after the end of a lease its events are back at the latest, in milliseconds. */
const recovery = 5_000
/** How long over its time-out a stop may take, in milliseconds. */
const stopReserve = 2_000
let lastName = 0

/** What a case works with: a topic and a queue of its own, worker processes that end with it, and waits that end. */
export class ProcessBench {
  readonly lease: number
  readonly #transport: Transport
  readonly #module: URL
  readonly #place: string
  readonly #topic: string
  readonly #queue: string
  readonly #watch: Watch<WorkerProcess>

  private constructor(under: ProcessesUnderTest, place: string, transport: Transport) {
    this.lease = under.lease ?? 1_000
    this.#transport = transport
    this.#module = under.module
    this.#place = place
    this.#watch = new Watch(under.patience ?? 30_000)
    const name = `${Date.now().toString(36)}-${process.pid}-${++lastName}`
    this.#topic = `topic-${name}`
    this.#queue = `queue-${name}`
  }

  /** With a queue that takes the whole topic. */
  static async open(under: ProcessesUnderTest, order: boolean): Promise<ProcessBench> {
    const place = await under.place()
    const { open } = (await import(under.module.href)) as TransportModule
    const bench = new ProcessBench(under, place, await open(place))
    const subscriptions = [{ topic: bench.#topic, pattern: '*' }]
    await bench.#transport.declare([{ name: bench.#queue, subscriptions, from: 'now', order }])
    return bench
  }

  get features(): Features {
    return this.#transport.features
  }

  /** From the death of a process to the return of its events, in milliseconds. */
  get recovery(): number {
    return this.lease + recovery
  }

  async close(): Promise<void> {
    await Promise.all(this.#watch.processes.map((worker) => worker.kill()))
    await this.#transport.close()
  }

  /** A worker that is at work. */
  async start(role: WorkerSetup['role'], options: WorkerOptions = {}): Promise<WorkerProcess> {
    const worker = this.#spawn({ role, options })
    await this.until('a worker to be ready', () => worker.of('ready').length > 0, worker)
    return worker
  }

  /** Two workers, and an event that one of them holds: `holder`. */
  async holding(options: WorkerOptions): Promise<{ holder: WorkerProcess; other: WorkerProcess }> {
    const pair = await Promise.all([this.start('consume', options), this.start('consume', options)])
    await this.publish([{ n: 0, does: 'hold' }])
    await this.until('a handler to start', () => pair.some((one) => one.of('start').length > 0))
    const at = pair.findIndex((one) => one.of('start').length > 0)
    return { holder: pair[at]!, other: pair[1 - at]! }
  }

  async publish(errands: readonly Errand[], keyOf?: (n: number) => string): Promise<void> {
    const events = errands.map((errand) =>
      createEvent(`${this.#topic}.numbered`, errand, {
        topic: this.#topic,
        ...(keyOf && { key: keyOf(errand.n) }),
      }),
    )
    await this.#transport.publish(events.map(encodeEvent))
  }

  async counts(): Promise<QueueCounts> {
    const counts = (await this.#transport.admin.queues()).find(({ name }) => name === this.#queue)
    if (counts === undefined) throw new Error(`queues() does not tell of ${this.#queue}`)
    return counts
  }

  /** The numbers of the events among the dead letters. */
  async dead(): Promise<readonly number[]> {
    const letters = await this.#transport.admin.deadLetters(this.#queue, { limit: 1_000 })
    return letters.map(({ data }) => {
      const text = typeof data === 'string' ? data : new TextDecoder().decode(data)
      return (JSON.parse(text) as Errand).n
    })
  }

  /** Every line of one sort, of all workers, in the order of time. */
  all(what: Line['what']): readonly Line[] {
    return this.#watch.processes.flatMap((worker) => worker.of(what)).toSorted((a, b) => a.at - b.at)
  }

  /** The numbers in the lines of one sort, ascending. */
  numbers(what: Line['what']): readonly number[] {
    return this.#watch.processes.flatMap((worker) => worker.numbers(what)).toSorted((a, b) => a - b)
  }

  /** Waits until something is so; looks again whenever a worker says something, and now and then. Fails if `alive` ends before. */
  until(
    what: string,
    done: () => boolean | Promise<boolean>,
    ...alive: readonly WorkerProcess[]
  ): Promise<void> {
    return this.#watch.until(what, done, ...alive)
  }

  /** Waits until nothing waits in the queue, is held or will come later, and all that the workers said of it is here. */
  async empty(): Promise<void> {
    await this.until('the queue to be empty', async () => {
      const { depth, inFlight, retrying, delayed } = await this.counts()
      return depth + inFlight + retrying + delayed === 0
    })
    await Promise.all(this.#watch.processes.map((worker) => this.#caughtUp(worker)))
  }

  /** Stops a worker, and expects that it takes no longer than it may, and that its process then ends by itself. */
  async stop(worker: WorkerProcess, timeout: number = 10_000): Promise<void> {
    worker.tell('stop')
    await this.until('a worker to stop', () => worker.of('stopped').length > 0, worker)
    expect(worker.numbers('stopped')[0]).toBeLessThan(timeout + stopReserve)
    let code: number | string | undefined
    void worker.gone.then((ended) => (code = ended))
    await this.until('a stopped worker to end', () => code !== undefined)
    expect(code, 'the exit code of a stopped worker').toBe(0)
  }

  /** What a worker wrote before it settled may still be on its way when the system knows of the settlement. */
  async #caughtUp(worker: WorkerProcess): Promise<void> {
    const before = worker.of('echo').length
    let gone = false
    void worker.gone.then(() => (gone = true))
    worker.tell('echo')
    await this.until('an echo', () => gone || worker.of('echo').length > before)
  }

  #spawn(rest: Pick<WorkerSetup, 'role' | 'options'>): WorkerProcess {
    const setup = {
      module: this.#module.href,
      place: this.#place,
      topic: this.#topic,
      queue: this.#queue,
      ...rest,
    }
    return this.#watch.add((heard) => new WorkerProcess(setup, heard))
  }
}

/** Errands 0, 1, ... `count - 1`, all of one sort. */
export function errandsOf(does: Errand['does'], count: number, ms = 0): readonly Errand[] {
  return Array.from({ length: count }, (_, n) => ({ n, does, ms }))
}
