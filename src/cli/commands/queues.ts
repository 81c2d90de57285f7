import type { QueueStats } from '../../app.ts'
import { readable } from '../../clock/duration.ts'
import { withApp, type AppChoice } from '../app-of.ts'
import { exitCodes, type ExitCode } from '../exit-codes.ts'
import { onTerminal, print, table, type Column } from '../print.ts'

const columns: readonly Column[] = [
  { name: 'queue' },
  { name: 'depth', align: 'right' },
  { name: 'in flight', align: 'right' },
  { name: 'retrying', align: 'right' },
  { name: 'delayed', align: 'right' },
  { name: 'dead', align: 'right' },
  { name: 'oldest', align: 'right' },
  { name: 'handled/s', align: 'right' },
  { name: 'failed/s', align: 'right' },
]

/** `millrace queues` */
export async function queues(choice: AppChoice): Promise<ExitCode> {
  const stats = await withApp(choice, (app) => app.queues())
  if (!onTerminal) for (const queue of stats) print(JSON.stringify(queue))
  else print(stats.length === 0 ? 'no queues yet' : table(columns, stats.map(cells)))
  return exitCodes.ok
}

function cells(queue: QueueStats): readonly string[] {
  return [
    queue.name,
    ...[queue.depth, queue.inFlight, queue.retrying, queue.delayed, queue.dead].map(String),
    queue.depth === 0 ? '-' : readable(queue.oldestMs),
    queue.handledPerSecond.toFixed(1),
    queue.failedPerSecond.toFixed(1),
  ]
}
