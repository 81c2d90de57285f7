import { setTimeout as sleep } from 'node:timers/promises'
import { endWithHarness } from '../chaos/harness-gone.ts'
import { millrace, type MillraceEvent } from '../../src/index.ts'
import type { Sample } from './curve.ts'
import { Ledger, type Account } from './ledger.ts'
import type { Load, Overload } from './path.ts'
import { paths } from './paths.ts'
import { type } from './producers.ts'

/* The process that is overloaded. Tells its parent what became of the events, and what it took every second. */
export interface SubjectTask {
  readonly path: string
  readonly url: string
  /** How long the producer goes on. */
  readonly ms: number
}

interface Counts {
  readonly ready: number
  readonly waiting: number
  readonly dead: number
}

export interface Result {
  readonly account: Account
  /** What the transport says of the queue when all is quiet. */
  readonly counts: Counts
  /** How often each notice was given. */
  readonly notices: Readonly<Record<string, number>>
  /** Resident memory while the producer ran, each second; and at most, from the beginning to the end, in MiB. */
  readonly samples: readonly Sample[]
  readonly peak: number
  /** Seconds from the end of the producer until all it had published was handled. */
  readonly drained: number
}

/** For so long nothing may happen while events still wait. */
const patience = 60_000

endWithHarness()
const task = JSON.parse(process.argv[2] as string) as SubjectTask
const path = paths.find(({ name }) => name === task.path)!
const ledger = new Ledger()
const ending = new AbortController()
const parts = path.parts?.(task.url, ending.signal) ?? { transport: task.url }
const app = millrace({ ...parts, logger: false, http: { verify: () => true } })
const overload: Overload = { app, ledger, url: task.url, over: ending.signal }

const notices: Record<string, number> = {}
app.onNotice(({ code }) => (notices[code] = (notices[code] ?? 0) + 1))
app.onDeadLetter(({ event }) => ledger.dead(numberOf(event)))

async function handle(event: MillraceEvent): Promise<void> {
  const n = numberOf(event)
  await path.handle(n, overload)
  ledger.handled(n)
}

function numberOf(event: MillraceEvent | undefined): number {
  return (event as { readonly data: Load }).data.n
}

const queue = app.queue(path.name, path.queue)
if (path.batch === undefined) queue.on(type, handle)
else {
  queue.onBatch(type, { size: path.batch, wait: 100 }, (events) => Promise.allSettled(events.map(handle)))
}
await app.start()

const began = performance.now()
const samples: Sample[] = []
let peak = 0
const sample = (): number => {
  const now = process.memoryUsage.rss() / 2 ** 20
  peak = Math.max(peak, now)
  return now
}
const sampling = setInterval(() => {
  const mib = sample()
  if (!ending.signal.aborted) samples.push({ at: (performance.now() - began) / 1_000, mib })
}, 1_000)
setTimeout(() => ending.abort(), task.ms)
await path.load(overload)
const drained = await quiet()
clearInterval(sampling)
sample()

const result: Result = {
  account: ledger.account,
  counts: await counts(),
  notices,
  samples,
  peak,
  drained,
}
await app.stop()
await new Promise((sent) => process.send!(result, sent))
process.exit()

/** What the transport says of the queue, and the outbox of its own. There may be others. */
async function counts(): Promise<Counts> {
  const sum = { ready: 0, waiting: 0, dead: 0 }
  for (const { name, depth, inFlight, delayed, retrying, dead } of await app.queues()) {
    if (name !== path.name && name !== 'millrace.outbox') continue
    sum.ready += depth + inFlight
    sum.waiting += delayed + retrying
    sum.dead += dead
  }
  return sum
}

/** Until everything that was published has come to an end, and the transport knows it, or nothing gets on. Gives the seconds that took. */
async function quiet(): Promise<number> {
  const over = performance.now()
  let moved = over
  let before = -1
  while (performance.now() - moved < patience) {
    await sleep(100)
    const { ended } = ledger
    if (ended !== before) moved = performance.now()
    before = ended
    if (ledger.open === 0 && (await counts()).ready === 0) break
  }
  return (performance.now() - over) / 1_000
}
