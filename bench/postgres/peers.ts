import { inBatches, inFlight, order, Tally, timed } from '../load.ts'
import { peer } from '../peers.ts'
import type { Run } from '../row.ts'
import type { Server } from './schema.ts'

/*
 * The queues in Postgres that TypeScript teams use today, each set up to be as fast as it can be without losing anything:
 * pg-boss with LISTEN, bursts and two workers; graphile-worker with its local queue and batched completion.
 */

/** The parts of the peers that are used here. They are not among our packages, so neither are their types. */
interface PgBoss {
  on(event: 'error', fn: (error: Error) => void): void
  start(): Promise<unknown>
  createQueue(name: string, options: object): Promise<unknown>
  send(name: string, data: object): Promise<unknown>
  insert(name: string, jobs: readonly { readonly data: object }[]): Promise<unknown>
  work(name: string, options: object, handler: (jobs: readonly unknown[]) => Promise<void>): Promise<unknown>
  stop(options: object): Promise<void>
}
interface PgBossLibrary {
  readonly PgBoss: new (options: object) => PgBoss
}
interface Graphile {
  makeWorkerUtils(options: object): Promise<{
    migrate(): Promise<void>
    addJob(task: string, payload: object): Promise<unknown>
    addJobs(jobs: readonly { readonly identifier: string; readonly payload: object }[]): Promise<unknown>
    release(): Promise<void>
  }>
  run(options: object): Promise<{ stop(): Promise<void> }>
  readonly Logger: new (factory: () => () => void) => object
}

/** One of them, in a schema of its own. */
interface Opened extends AsyncDisposable {
  send(n: number): Promise<unknown>
  sendMany(numbers: readonly number[]): Promise<unknown>
  /** Jobs that wait, by their own table. */
  size(): Promise<number>
  /** Handles until it is told to end. */
  consume(seen: () => void): Promise<() => Promise<unknown>>
}

const task = 'billing'
const concurrency = 16
let last = 0

async function openPgBoss(server: Server): Promise<Opened> {
  const { PgBoss } = await peer<PgBossLibrary>('pg-boss', versions['pg-boss'])
  const schema = `boss_${process.pid}_${++last}`
  const boss = new PgBoss({
    connectionString: server.url,
    schema,
    max: 8,
    supervise: false,
    schedule: false,
    useListenNotify: true,
  })
  boss.on('error', () => {})
  await boss.start()
  await boss.createQueue(task, { notify: true })
  return {
    send: (n) => boss.send(task, order(n)),
    sendMany: (numbers) =>
      boss.insert(
        task,
        numbers.map((n) => ({ data: order(n) })),
      ),
    size: () => jobsIn(server, `${schema}.job WHERE name = '${task}'`),
    async consume(seen) {
      await boss.work(
        task,
        { batchSize: 128, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true, localConcurrency: 2 },
        async (jobs) => jobs.forEach(seen),
      )
      return () => boss.stop({ graceful: true })
    },
    async [Symbol.asyncDispose]() {
      await boss.stop({ graceful: false })
      await server.pool.query(`DROP SCHEMA ${schema} CASCADE`)
    },
  }
}

async function openGraphile(server: Server): Promise<Opened> {
  const { makeWorkerUtils, run, Logger } = await peer<Graphile>(
    'graphile-worker',
    versions['graphile-worker'],
  )
  const schema = `graphile_${process.pid}_${++last}`
  const options = { connectionString: server.url, schema, logger: new Logger(() => () => {}) }
  const utils = await makeWorkerUtils(options)
  await utils.migrate()
  return {
    send: (n) => utils.addJob(task, order(n)),
    sendMany: (numbers) => utils.addJobs(numbers.map((n) => ({ identifier: task, payload: order(n) }))),
    size: () => jobsIn(server, `${schema}._private_jobs`),
    async consume(seen) {
      const runner = await run({
        ...options,
        concurrency,
        maxPoolSize: 8,
        noHandleSignals: true,
        preset: {
          worker: { localQueue: { size: 256 }, completeJobBatchDelay: 0, concurrentJobs: concurrency },
        },
        taskList: { [task]: async () => seen() },
      })
      return () => runner.stop()
    },
    async [Symbol.asyncDispose]() {
      await utils.release()
      await server.pool.query(`DROP SCHEMA ${schema} CASCADE`)
    },
  }
}

async function jobsIn(server: Server, from: string): Promise<number> {
  const { rows } = await server.pool.query(`SELECT count(*)::int AS count FROM ${from}`)
  return (rows[0] as { readonly count: number }).count
}

const versions = { 'pg-boss': '12.35.0', 'graphile-worker': '0.18.0' } as const

const peers: Readonly<Record<string, (server: Server) => Promise<Opened>>> = {
  [`pg-boss ${versions['pg-boss']}`]: openPgBoss,
  [`graphile-worker ${versions['graphile-worker']}`]: openGraphile,
}

type Use = (opened: Opened, events: number) => ReturnType<Run>

/** The same work done by each of them, with a schema of its own for each window. */
export function besidePeers(server: Server, use: Use): Readonly<Record<string, Run>> {
  return Object.fromEntries(
    Object.entries(peers).map(([name, open]) => [
      name,
      async (events: number) => {
        await using opened = await open(server)
        return await use(opened, events)
      },
    ]),
  )
}

export const publishOneByOne =
  (width: number): Use =>
  async (opened, events) => {
    const spent = await timed(() => inFlight(events, width, async (n) => void (await opened.send(n))))
    return { ...spent, events: await opened.size() }
  }

export const publishMany =
  (size: number, width = 1): Use =>
  async (opened, events) => {
    const spent = await timed(() =>
      inBatches(events, size, async (numbers) => void (await opened.sendMany(numbers)), width),
    )
    return { ...spent, events: await opened.size() }
  }

export const consumeAll: Use = async (opened, events) => {
  await inBatches(events, 500, async (numbers) => void (await opened.sendMany(numbers)))
  const tally = new Tally(events)
  const end = await opened.consume(() => tally.add())
  const spent = await tally.all
  await end()
  return spent
}
