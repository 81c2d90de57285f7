import { millrace, type App, type Transport } from '../../src/index.ts'
import { endWithHarness } from './harness-gone.ts'
import { historyOf, type Happening } from './history.ts'
import { transportOf } from './user-pool.ts'

/** What every process is told. */
export interface Task {
  readonly url: string
  readonly folder: string
  readonly name: string
  readonly seed: number
  /** Whether the transport is on a pool of the user's. */
  readonly hasPool: boolean
  /** The URL of the Postgres that is the outbox, on a pool of the user's, too. */
  readonly outbox?: string
}

/** The beginning of a process that has no queues: its task, an app, its history, and what SIGTERM aborts. */
export async function begin<T extends Task>(): Promise<{
  task: T
  app: App
  write: (happening: Happening) => void
  stopping: AbortSignal
}> {
  endWithHarness()
  const task = JSON.parse(process.argv[2] as string) as T
  const stopping = new AbortController()
  process.on('SIGTERM', () => stopping.abort())
  return {
    task,
    app: millrace({
      transport: await transportOf(task),
      ...(task.outbox !== undefined && { outbox: await outboxOf(task, task.outbox), relay: false }),
      logger: false,
    }),
    write: historyOf(task.folder, task.name),
    stopping: stopping.signal,
  }
}

export function outboxOf(task: Task, url: string): Promise<Transport> {
  return transportOf({ ...task, url, hasPool: true })
}
