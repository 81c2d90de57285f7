// Another process on the file of a row: worker-process.ts ROLE FILE, the file as JSON. It says when it is ready, and
// answers what its parent sends.
import { watch } from 'node:fs'
import { sqlite } from '../../src/adapters/sqlite/index.ts'
import { appOn } from '../app.ts'
import { now, type Stamped } from '../pace.ts'
import type { BenchFile } from './file.ts'
import { OurTables } from './raw.ts'

export type Role = 'consume' | 'latency' | 'raw-latency'

const [role, text = ''] = process.argv.slice(2)
const file = JSON.parse(text) as BenchFile
const progressEvery = 20

/** Told to, it consumes, and says now and then how many it has handled. */
async function consume(): Promise<void> {
  let handled = 0
  const app = appOn(sqlite(file.path), () => handled++)
  process.once('message', () => {
    setInterval(() => process.send?.(handled), progressEvery)
    app.start().catch(fail)
  })
}

/** Consumes; asked, gives the latencies of all events so far, and the processor time in milliseconds. */
async function latency(): Promise<void> {
  const latencies: number[] = []
  const app = appOn(sqlite(file.path), (event) => latencies.push(now() - (event.data as Stamped).at))
  await app.start()
  answerWith(latencies)
}

/** The same without anything of ours: watches a file beside the database, and takes what there is. */
async function rawLatency(): Promise<void> {
  const latencies: number[] = []
  const tables = new OurTables(file)
  const takeAll = (): void => {
    for (let taken = tables.take(128); taken.length > 0; taken = tables.take(128)) {
      for (const data of taken) latencies.push(now() - (JSON.parse(data) as Stamped).at)
    }
  }
  watch(`${file.path}-raw-wake`, takeAll)
  answerWith(latencies)
}

function answerWith(latencies: readonly number[]): void {
  process.on('message', () => {
    const { user, system } = process.cpuUsage()
    process.send?.({ latencies, cpu: (user + system) / 1_000 })
  })
}

function fail(error: unknown): void {
  console.error(error)
  process.exit(1)
}

const roles: Readonly<Record<Role, () => Promise<void>>> = { consume, latency, 'raw-latency': rawLatency }
// Whatever becomes of the parent, nothing outlives it.
process.on('disconnect', () => process.exit())
await roles[role as Role]()
process.send?.('ready')
