import { writeFileSync } from 'node:fs'
import { utimes } from 'node:fs/promises'
import { sqlite } from '../../src/adapters/sqlite/index.ts'
import { appOn, type } from '../app.ts'
import { publishAndConsume } from '../feeds.ts'
import { paced, stamped } from '../pace.ts'
import type { LatencyRow, RateRow, Run, Sample, Work } from '../row.ts'
import { describe, makeFile, type BenchFile } from './file.ts'
import { fill, OurTables } from './raw.ts'
import { startWorker } from './worker.ts'

/*
 * Rows whose baseline is ours in an easier place: in one process, with an empty file.
 */

const nothing = { async [Symbol.asyncDispose]() {} }
const consumedBy =
  (processes: number): Run =>
  async (count) => {
    await using file = await makeFile()
    using tables = new OurTables(file)
    fill(tables, count)
    await using workers = new AsyncDisposableStack()
    const handled: number[] = []
    let began = 0
    const { promise: all, resolve } = Promise.withResolvers<Work>()
    for (let n = 0; n < processes; n++) {
      const worker = workers.use(await startWorker('consume', file))
      worker.onMessage((progress) => {
        handled[n] = progress as number
        const sum = handled.reduce((total, one) => total + one, 0)
        if (sum > 0 && began === 0) began = performance.now()
        if (sum >= count) resolve({ wall: performance.now() - began, cpu: undefined, events: sum })
      })
      handled.push(0)
      void worker.ask()
    }
    return await all
  }

const twoProcesses: RateRow = {
  kind: 'rate',
  name: 'sqlite.two-processes',
  about: 'two processes consume one queue',
  baseline: 'one process',
  bar: 0.95,
  async open() {
    await using file = await makeFile()
    return {
      settings: {
        ...describe(file),
        concurrency: '16 in each process',
        claim: '128, of two that keep each other from writing 256',
      },
      raw: consumedBy(1),
      ours: consumedBy(2),
      ...nothing,
    }
  },
}

const waitingLong = 1_000_000
/** In the year 2100. */
const farAway = 4_102_444_800_000

/** Publishes and consumes at the same time, on a file that may have other things in it. */
const through =
  (file: BenchFile): Run =>
  (count) =>
    publishAndConsume(sqlite(file.path), 256, count)

const delayed: RateRow = {
  kind: 'rate',
  name: 'sqlite.beside-delayed',
  about: 'publish, 256 in flight, and consume, while a million delayed events wait in the queue',
  baseline: 'the same without them',
  bar: 0.8,
  async open({ quick }) {
    const empty = await makeFile()
    const crowded = await makeFile()
    using tables = new OurTables(crowded)
    fill(tables, quick ? 20_000 : waitingLong, { due: farAway })
    return {
      settings: { ...describe(empty), 'in flight': 256, delayed: quick ? 20_000 : waitingLong },
      raw: through(empty),
      ours: through(crowded),
      async [Symbol.asyncDispose]() {
        await empty[Symbol.asyncDispose]()
        await crowded[Symbol.asyncDispose]()
      },
    }
  },
}

const pace = 200
/** The first events of a process pay for what is compiled and opened then. */
const warmUpSeconds = 0.5

/** A worker and a publisher for it; the latencies are those after the warm-up. */
async function sampled(
  role: 'latency' | 'raw-latency',
  file: BenchFile,
  seconds: number,
  publish: () => void,
): Promise<readonly number[]> {
  await using worker = await startWorker(role, file)
  const early = await paced(pace, warmUpSeconds, publish)
  const total = early + (await paced(pace, seconds, publish))
  for (;;) {
    const { latencies } = await worker.ask<{ latencies: readonly number[] }>()
    if (latencies.length >= total) return latencies.slice(early)
  }
}

const ourLatency: Sample = async (seconds) => {
  await using file = await makeFile()
  await using app = appOn(sqlite(file.path), () => {})
  return await sampled('latency', file, seconds, () => void app.publish(type, stamped()))
}

const rawLatency: Sample = async (seconds) => {
  await using file = await makeFile()
  const side = `${file.path}-raw-wake`
  writeFileSync(side, '')
  using tables = new OurTables(file)
  let n = 0
  return await sampled('raw-latency', file, seconds, () => {
    tables.put(n++, 1, { dataOf: stamped })
    const time = new Date()
    void utimes(side, time, time)
  })
}

const wakeUp: LatencyRow = {
  kind: 'latency',
  name: 'sqlite.wake-up',
  about: `from publish to the handler in another process, at ${pace} events/s`,
  baseline: 'a commit and a touch of a file on one side, a watch of it and a claim on the other',
  async open() {
    await using file = await makeFile()
    return {
      settings: { ...describe(file), 'events/s': pace },
      raw: rawLatency,
      ours: ourLatency,
      ...nothing,
    }
  },
}

export const comparisonRows = [twoProcesses, delayed, wakeUp] as const
