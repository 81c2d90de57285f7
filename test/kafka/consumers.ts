import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { createEvent } from '../../src/event/event.ts'
import { encodeEvent, type Outgoing } from '../../src/event/outgoing.ts'

/** A consumer in a process of its own, and what it has said so far. It ends with its test. */
export interface ConsumerProcess {
  readonly started: readonly number[]
  readonly ended: readonly number[]
  /** When handler runs ended, by `performance.now()`, beside `ended`. */
  readonly times: readonly number[]
  /** Resolves when it consumes. */
  readonly ready: Promise<void>
  /** Resolves when it has ended so many runs. */
  until(count: number): Promise<void>
  /** Ends it, and resolves when it is gone and all it has written is read. */
  kill(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

const script = fileURLToPath(new URL('consumer-process.ts', import.meta.url))

export function startConsumer(url: string, queue: string, topic: string, ms: number): ConsumerProcess {
  const child = spawn(process.execPath, [script, url, queue, topic, String(ms)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const started: number[] = []
  const ended: number[] = []
  const times: number[] = []
  const waiting: { readonly count: number; readonly resolve: () => void }[] = []
  let consumes!: () => void
  const ready = new Promise<void>((resolve) => (consumes = resolve))
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => {
    const [what, number] = line.split(' ')
    if (what === 'ready') consumes()
    if (what === 'start') started.push(Number(number))
    if (what !== 'end') return
    ended.push(Number(number))
    times.push(performance.now())
    for (const { count, resolve } of waiting) if (ended.length >= count) resolve()
  })
  const gone = Promise.all([once(child, 'exit'), once(lines, 'close')])
  return {
    started,
    ended,
    times,
    ready,
    until: (count) => new Promise((resolve) => waiting.push({ count, resolve })),
    async kill(signal) {
      child.kill(signal)
      await gone
    },
  }
}

let last = 0

/** A name that no other test uses. */
export function newName(what: string): string {
  return `${what}-${Date.now().toString(36)}-${process.pid}-${++last}`
}

/** Events whose data is their number. */
export function numbered(topic: string, count: number, keyOf?: (n: number) => string): readonly Outgoing[] {
  return Array.from({ length: count }, (_, n) =>
    encodeEvent(createEvent(`${topic}.numbered`, n, { topic, ...(keyOf && { key: keyOf(n) }) })),
  )
}
