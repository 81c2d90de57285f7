import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../clock/clock.ts'
import { constant, createEvent, millrace, type App } from '../../index.ts'
import type { Errand, Line, TransportModule, WorkerSetup } from './protocol.ts'
import { stepWallClock } from './wall-clock.ts'

/* The program of a worker process; see protocol.ts. */

const setup = JSON.parse(process.argv[2] ?? '') as WorkerSetup
const holding = new Set<{ go(): void; fail(): void }>()

function say(what: Line['what'], rest: Omit<Line, 'what' | 'at'> = {}): void {
  writeSync(1, `${JSON.stringify({ what, at: systemClock.monotonic(), ...rest })}\n`)
}

async function run({ does, ms = 0 }: Errand): Promise<void> {
  if (does === 'work') await sleep(ms)
  if (does === 'kill') process.kill(process.pid, 'SIGKILL')
  if (does === 'kill' || does === 'hang') await new Promise(() => {})
  if (does === 'hold') {
    await new Promise<void>((resolve, reject) => {
      holding.add({ go: resolve, fail: () => reject(new Error('told to fail')) })
    })
  }
}

function consume(app: App): void {
  const { attempts = 3, stopTimeout: _, ...options } = setup.options
  const retry = { attempts, backoff: constant(1) }
  app.queue(setup.queue, { topics: [setup.topic], retry, ...options }).on('*', async (event, { attempt }) => {
    const errand = event.data as Errand
    say('start', { n: errand.n, attempt })
    await run(errand)
    say('end', { n: errand.n })
  })
}

/** Publishes on and on, some at a time, and says of each that it was taken. Its own stop ends it, whatever then is in flight. */
async function publish(app: App, stopping: AbortSignal): Promise<void> {
  let last = 0
  const next = async (): Promise<void> => {
    while (!stopping.aborted) {
      const n = last++
      const data: Errand = { n, does: 'work', ms: n % 20 }
      try {
        await app.publish(createEvent(`${setup.topic}.numbered`, data, { topic: setup.topic }))
      } catch (error) {
        if (!stopping.aborted) throw error
        return
      }
      say('published', { n })
    }
  }
  await Promise.all(Array.from({ length: 8 }, next))
}

const { open } = (await import(setup.module)) as TransportModule
const log = (line: unknown): void => say('log', { text: String(line) })
const app = millrace({
  transport: await open(setup.place),
  logger: { debug: log, info: log, warn: log, error: log },
})
const stopping = new AbortController()

const input = createInterface({ input: process.stdin })
input.on('line', (line) => {
  const [command, argument = '0'] = line.split(' ')
  if (command === 'echo') say('echo')
  if (command === 'step') stepWallClock(Number(argument))
  if (command === 'stop') void stop()
  if (command === 'block') for (const end = performance.now() + Number(argument); performance.now() < end;);
  if (command !== 'go' && command !== 'fail') return
  for (const one of holding) one[command]()
  holding.clear()
})

async function stop(): Promise<void> {
  stopping.abort()
  const began = performance.now()
  await app.stop({ timeout: setup.options.stopTimeout ?? 10_000 })
  say('stopped', { n: performance.now() - began })
  // What still keeps the process alive after this is a defect.
  input.close()
  process.stdin.destroy()
}

if (setup.role !== 'publish') {
  consume(app)
  await app.start()
}
say('ready')
if (setup.role !== 'consume') await publish(app, stopping.signal)
