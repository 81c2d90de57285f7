import { statSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { sqlite } from '../../src/adapters/sqlite/index.ts'
import type { QueueOptions } from '../../src/index.ts'
import { appOn, type } from '../app.ts'
import { customerOf, inFlight, order, Tally } from '../load.ts'
import type { QuantityRow } from '../row.ts'
import { describe, makeFile } from './file.ts'
import { startWorker } from './worker.ts'

const width = 256

const idle: QuantityRow = {
  kind: 'quantity',
  name: 'sqlite.idle',
  about: 'a process that consumes a queue in which nothing happens',
  baseline: 'nothing',
  async measure({ quick }) {
    await using file = await makeFile()
    await using worker = await startWorker('latency', file)
    const seconds = quick ? 1 : 20
    await sleep(1_000)
    const before = await worker.ask<{ cpu: number }>()
    await sleep(seconds * 1_000)
    const after = await worker.ask<{ cpu: number }>()
    const share = (after.cpu - before.cpu) / (seconds * 10)
    return {
      settings: { ...describe(file), seconds },
      quantities: [{ name: 'processor', unit: '% of a core', value: share, atMost: 1 }],
    }
  },
}

const stall: QuantityRow = {
  kind: 'quantity',
  name: 'sqlite.stall',
  about: `the event loop of a process that publishes, ${width} in flight, and consumes as fast as it can`,
  baseline: 'nothing',
  async measure({ quick }) {
    await using file = await makeFile()
    const count = quick ? 10_000 : 300_000
    const tally = new Tally(count)
    await using app = appOn(sqlite(file.path), () => tally.add())
    await app.start()
    const delays = monitorEventLoopDelay({ resolution: 1 })
    delays.enable()
    await inFlight(count, width, (n) => app.publish(type, order(n)))
    await tally.all
    delays.disable()
    const ms = (nanoseconds: number): number => nanoseconds / 1e6
    return {
      settings: { ...describe(file), events: count, 'in flight': width },
      quantities: [
        { name: 'longest stall', unit: 'ms', value: ms(delays.max), atMost: 10 },
        { name: 'p99 of stalls', unit: 'ms', value: ms(delays.percentile(99)) },
      ],
    }
  },
}

const byKey: QueueOptions = { order: { by: 'key' } }
const tenths = 10

interface Tenth {
  readonly perSecond: number
  readonly rss: number
  readonly file: number
}

const million: QuantityRow = {
  kind: 'quantity',
  name: 'sqlite.million',
  about: `a million events of 10,000 keys, published with ${width} in flight and consumed by key at the same time`,
  baseline: 'its own first tenth',
  async measure({ quick }) {
    await using file = await makeFile(byKey)
    const count = quick ? 20_000 : 1_000_000
    const history: Tenth[] = []
    let handled = 0
    let since = performance.now()
    const tally = new Tally(count)
    const mark = (): void => {
      const now = performance.now()
      history.push({
        perSecond: count / tenths / ((now - since) / 1_000),
        rss: process.memoryUsage.rss() / 2 ** 20,
        file: (statSync(file.path).size + statSync(`${file.path}-wal`).size) / 2 ** 20,
      })
      since = now
    }
    await using app = appOn(sqlite(file.path), handle, byKey)
    function handle(): void {
      if (++handled % (count / tenths) === 0) mark()
      tally.add()
    }
    await app.start()
    await inFlight(count, width, (n) => app.publish(type, order(n), { key: customerOf(n) }))
    await tally.all
    // The second tenth, as the first one compiles and fills caches.
    const early = history[1] as Tenth
    const late = history.at(-1) as Tenth
    return {
      settings: { ...describe(file), events: count, keys: 10_000, 'in flight': width },
      quantities: [
        { name: 'throughput of the first tenth', unit: 'events/s', value: (history[0] as Tenth).perSecond },
        { name: 'throughput of the last tenth', unit: 'events/s', value: late.perSecond },
        {
          name: 'last tenth / first tenth',
          unit: 'ratio',
          value: late.perSecond / (history[0] as Tenth).perSecond,
          atLeast: 0.9,
        },
        {
          name: 'resident memory at the end / after two tenths',
          unit: 'ratio',
          value: late.rss / early.rss,
          atMost: 1.2,
        },
        { name: 'resident memory at the end', unit: 'MiB', value: late.rss },
        { name: 'file and log at the end', unit: 'MiB', value: late.file },
        {
          name: 'file and log at the end / after two tenths',
          unit: 'ratio',
          value: late.file / early.file,
          atMost: 1.2,
        },
      ],
    }
  },
}

export const enduranceRows: readonly QuantityRow[] = [idle, stall, million]
