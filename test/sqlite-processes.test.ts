import { spawn, spawnSync, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, readFileSync, renameSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { sqlite } from '../src/adapters/sqlite/index.ts'
import { systemClock } from '../src/clock/clock.ts'
import type { Session, Transport } from '../src/contract/transport.ts'
import { createEvent } from '../src/event/event.ts'
import { encodeEvent } from '../src/event/outgoing.ts'

const worker = fileURLToPath(new URL('./sqlite-worker.ts', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-processes-'))
let last = 0
const newPath = (): string => join(folder, `${++last}.db`)
const tracer = 'strace'
const hasTracer = spawnSync(tracer, ['-V']).status === 0

afterAll(() => rm(folder, { recursive: true }))
// Starting six processes takes seconds on a busy machine.
interface Worker {
  readonly process: ChildProcessByStdio<Writable, Readable, null>
  readonly lines: Interface
  /** All that it says, when it has ended. */
  readonly ended: Promise<readonly string[]>
}

function start(command: readonly string[]): Worker {
  const [program = '', ...args] = command
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] }) as Worker['process']
  onTestFinished(() => void child.kill('SIGKILL'))
  const said: string[] = []
  const lines = createInterface({ input: child.stdout }).on('line', (line) => said.push(line))
  return { process: child, lines, ended: once(child, 'close').then(() => said) }
}

const startWorker = (role: string, path: string, ...more: readonly string[]): Worker =>
  start([process.execPath, worker, role, path, ...more])

async function nextLine(from: Worker): Promise<string> {
  const [text] = (await once(from.lines, 'line')) as [string]
  return text
}

async function open(
  path: string,
  events = 0,
): Promise<{ transport: Transport; session: () => Promise<Session> }> {
  const transport = sqlite(path)
  onTestFinished(() => transport.close())
  const subscriptions = [{ topic: 'order', pattern: '*' }]
  await transport.declare([{ name: 'orders', subscriptions, from: 'now', order: false }])
  await transport.publish(
    Array.from({ length: events }, (_, i) => encodeEvent(createEvent('order.placed', i))),
  )
  const rest = { notice: () => {}, onRevoke: () => {}, onLost: () => {} }
  return {
    transport,
    session: () => transport.open('orders', { lease: 30_000, order: false, clock: systemClock, ...rest }),
  }
}

test('the file is whole after a publisher was killed', async () => {
  const path = newPath()
  await open(path)
  const publisher = startWorker('publish', path)
  for (let i = 0; i < 300; i++) await nextLine(publisher)
  publisher.process.kill('SIGKILL')
  await publisher.ended
  const database = new DatabaseSync(path)
  onTestFinished(() => database.close())
  expect(database.prepare('PRAGMA integrity_check').all()).toEqual([{ integrity_check: 'ok' }])
})

test('six processes make the file at once', async () => {
  const path = newPath()
  const said = await Promise.all(Array.from({ length: 6 }, () => startWorker('declare', path).ended))
  expect(said.map((lines) => lines.length)).toEqual([1, 1, 1, 1, 1, 1])
  const { transport } = await open(path)
  expect(await transport.admin.queues()).toMatchObject([{ name: 'orders', depth: 6 }])
})

/** Milliseconds from the other process's publish to the wake-up here, the median of some. */
async function wakeUpLatency(publisher: Worker, consumer: Session): Promise<number> {
  const latencies: number[] = []
  const signal = AbortSignal.timeout(20_000)
  while ((await consumer.exchange({ settle: [], max: 10 })).received.length > 0);
  while (latencies.length < 15) {
    publisher.process.stdin.write('\n')
    let { received } = await consumer.exchange({ settle: [], max: 1 })
    while (received.length === 0) {
      await consumer.ready(signal)
      signal.throwIfAborted()
      received = (await consumer.exchange({ settle: [], max: 1 })).received
    }
    const { sentAt } = JSON.parse(received[0]!.data as string) as { sentAt: number }
    latencies.push(Date.now() - sentAt)
    await consumer.settle(received.map((of) => ({ of, as: 'ack' })))
  }
  return latencies.toSorted((a, b) => a - b)[7]!
}

test('a consumer wakes for the publish of another process, and after the wake-up file was renamed too', async () => {
  const path = newPath()
  const { session } = await open(path)
  const publisher = startWorker('publish-on-demand', path)
  await nextLine(publisher)
  const consumer = await session()
  // The slow poll alone would make it about 500.
  expect(await wakeUpLatency(publisher, consumer)).toBeLessThan(100)
  renameSync(`${path}-wake`, `${path}-moved`)
  expect(await wakeUpLatency(publisher, consumer)).toBeLessThan(100)
  await consumer.close()
})

test.skipIf(!hasTracer)('every publish that resolves is behind an fdatasync (needs strace)', async () => {
  const syncs = async (role: string): Promise<number> => {
    const path = newPath()
    await open(path)
    const log = `${path}.strace`
    const traced = start([
      tracer,
      '-f',
      '-o',
      log,
      '-e',
      'trace=fsync,fdatasync',
      process.execPath,
      worker,
      role,
      path,
      '50',
    ])
    expect(await traced.ended).toHaveLength(50)
    return readFileSync(log, 'utf8').match(/f(data)?sync\(/g)?.length ?? 0
  }
  expect(await syncs('publish-fsync')).toBeGreaterThanOrEqual(50)
  expect(await syncs('publish-process')).toBeLessThan(20)
})

test.skipIf(process.platform === 'win32')(
  'a file, or a folder, that may not be written is refused as such',
  async () => {
    const isRoot = process.getuid?.() === 0
    // Permissions do not hold root back, so another user stands in for one without them.
    const user = isRoot ? ['65534'] : []
    const source = newPath()
    await (await open(source, 1)).transport.close()
    chmodSync(folder, 0o755)

    const file = join(folder, 'read-only', 'file.db')
    mkdirSync(join(folder, 'read-only'))
    cpSync(source, file)
    if (isRoot) chownSync(join(folder, 'read-only'), 65_534, 65_534)
    chmodSync(file, 0o444)
    expect(await startWorker('publish-fsync', file, '1', ...user).ended).toEqual(['STORE_READ_ONLY'])

    chmodSync(join(folder, 'read-only'), 0o555)
    const fresh = join(folder, 'read-only', 'new.db')
    expect(await startWorker('declare', fresh, '', ...user).ended).toEqual(['STORE_READ_ONLY'])
    chmodSync(join(folder, 'read-only'), 0o755)
  },
)
