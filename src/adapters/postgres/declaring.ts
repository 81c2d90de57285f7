import { Routes } from '../../contract/routes.ts'
import type { DeclareReport, QueueSpec } from '../../contract/transport.ts'
import type { Runner } from './database.ts'
import type { EventTables } from './event-tables.ts'
import { addQueues, bind, lockSubscriptions } from './subscriptions.ts'

/**
 * Makes queues and adds to their subscriptions. A new queue that wants what nobody had subscribed to gets it in steps, so
 * that no transaction is long; it subscribes in the last of them, so that all of it comes before what is published from
 * then on. If the process dies on the way, the next declare goes on.
 */
export async function declare(specs: readonly QueueSpec[], tables: EventTables): Promise<DeclareReport> {
  const { database, wakeUp } = tables
  const created: string[] = []
  const late = new Set<number>()
  for (let after = '0'; ;) {
    const from: string = after
    const step = await database.transaction((transaction) => takeStep(transaction, specs, tables, from))
    created.push(...step.created)
    for (const queue of step.late) late.add(queue)
    if (step.next === undefined) {
      if (late.size > 0) wakeUp.announce(late)
      return { created, kept: step.kept }
    }
    after = step.next
  }
}

async function takeStep(
  transaction: Runner,
  specs: readonly QueueSpec[],
  { unrouted }: EventTables,
  after: string,
) {
  await lockSubscriptions(transaction)
  const created = await addQueues(transaction, specs)
  const late = await lateQueues(transaction, specs)
  const routes = new Routes(late.flatMap(({ id, all }) => all.map((one) => ({ ...one, queue: id }))))
  const { next } = late.length === 0 ? { next: undefined } : await unrouted.retry(transaction, after, routes)
  const kept = next === undefined ? await bind(transaction, specs) : []
  return { created, late: late.map(({ id }) => id), next, kept }
}

/** The queues that get what was kept: those that want it and have no subscription yet. */
async function lateQueues(transaction: Runner, specs: readonly QueueSpec[]) {
  const eager = specs.filter(({ from }) => from === 'beginning')
  if (eager.length === 0) return []
  const rows = await transaction.rows<{ id: number; name: string }>(
    `SELECT id, name FROM {queues} q WHERE name = ANY($1::text[])
     AND NOT EXISTS (SELECT 1 FROM {subscriptions} WHERE queue = q.id)`,
    eager.map(({ name }) => name),
  )
  return rows.map(({ id, name }) => ({ id, all: eager.find((spec) => spec.name === name)!.subscriptions }))
}
