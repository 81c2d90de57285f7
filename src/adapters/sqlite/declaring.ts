import { setImmediate as turn } from 'node:timers/promises'
import { Routes } from '../../contract/routes.ts'
import type { DeclareReport, QueueSpec } from '../../contract/transport.ts'
import type { EventFile } from './event-file.ts'

/**
 * Makes queues and adds to their subscriptions. A new queue that wants what nobody had subscribed to gets it in steps, so
 * that neither this process nor others stand still; it subscribes in the last of them, so that all of it comes before
 * what is published from then on. If the process dies on the way, the next declare goes on.
 */
export async function declare(specs: readonly QueueSpec[], file: EventFile): Promise<DeclareReport> {
  const { database, subscriptions, wakeUp } = file
  // Looking takes no lock: whoever declares what is there already waits for nobody's transaction.
  const kept = await database.read(() => subscriptions.declared(specs))
  if (kept !== undefined) {
    // Of another process, whose disk may not have it yet.
    await database.keep()
    return { created: [], kept }
  }
  const created: string[] = []
  let routed = 0
  for (let after = 0; ;) {
    const step = await database.write(() => takeStep(specs, file, after))
    created.push(...step.created)
    routed += step.routed
    if (step.next === undefined) {
      if (routed > 0) wakeUp.announce()
      return { created, kept: step.kept }
    }
    after = step.next
    await turn()
  }
}

function takeStep(specs: readonly QueueSpec[], { subscriptions, unrouted, clock }: EventFile, after: number) {
  const created = subscriptions.addQueues(specs)
  const late = specs
    .filter(({ from }) => from === 'beginning')
    .map((spec) => ({ queue: subscriptions.queue(spec.name), all: spec.subscriptions }))
    .filter(({ queue }) => subscriptions.of(queue).length === 0)
  const routes = new Routes(late.flatMap(({ queue, all }) => all.map((one) => ({ ...one, queue }))))
  const { routed, next } =
    late.length === 0
      ? { routed: 0, next: undefined }
      : unrouted.retry(after, (topic, type) => routes.of(topic, type), clock.now())
  return { created, routed, next, kept: next === undefined ? subscriptions.bind(specs) : [] }
}
