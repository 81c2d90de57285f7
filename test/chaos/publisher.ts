import { setTimeout as sleep } from 'node:timers/promises'
import { createEvent, PublishError, type MillraceEvent, type PublishOutcome } from '../../src/index.ts'
import { begin, type Task } from './begin.ts'
import { readHistories, type PublishedEvent } from './history.ts'
import { callOf, type ChaosData } from './plan.ts'
import { stepWhenTold } from './steps.ts'
import { Transactions } from './transactions.ts'

/*
 * A process that publishes what is planned, one call of each of its streams at a time, until SIGTERM. What was not taken
 * it publishes again, also what a former process of its slot left open. Ends when all it has begun is taken. With an outbox,
 * each call is a transaction.
 */
export interface PublisherTask extends Task {
  readonly slot: string
  readonly streams: readonly number[]
}

const afterFailure = 200

const { task, app, write, stopping } = await begin<PublisherTask>()
const { folder, seed } = task
const former = readHistories(folder, `${task.slot}.`)
const transactions =
  task.outbox === undefined ? undefined : new Transactions({ url: task.outbox, folder, write })
stepWhenTold(write)

/** Which call of a stream is the next, and what of the one before may not be taken yet. */
function whereToGoOn(stream: number): { call: number; open: readonly MillraceEvent[] } {
  let last = -1
  const taken = new Set<string>()
  const begun = new Map<string, readonly string[]>()
  for (const entry of former) {
    if (entry.what === 'publishing') {
      begun.set(
        entry.call,
        entry.events.map(({ id }) => id),
      )
      const [ofStream, number] = entry.call.split('/').map(Number)
      if (ofStream === stream) last = Math.max(last, number as number)
    } else if (entry.what === 'published') {
      const ids = begun.get(entry.call) ?? []
      entry.results.forEach((result, i) => result === 'taken' && taken.add(ids[i] as string))
    }
  }
  return { call: last + 1, open: last < 0 ? [] : eventsOf(stream, last).filter(({ id }) => !taken.has(id)) }
}

function eventsOf(stream: number, call: number): readonly MillraceEvent[] {
  return callOf(seed, stream, call).events.map(({ type, ...options }) =>
    createEvent(type, { of: options.id } satisfies ChaosData, options),
  )
}

/** One call after the other until all is taken; each has a name of its own. What is rolled back is left so. */
async function publish(stream: number, call: number, events: readonly MillraceEvent[]): Promise<void> {
  const { end } = callOf(seed, stream, call)
  const rolledBack = transactions !== undefined && end === 'rolled back'
  const send = async (list: readonly MillraceEvent[]): Promise<readonly PublishOutcome[]> => {
    if (transactions === undefined) return publishAll(list)
    const outcome = await transactions.run(`${stream}-${call}`, end, (transaction) =>
      app.publish(list, { transaction }),
    )
    return list.map(() => outcome)
  }
  let open = events
  for (let attempt = 0; open.length > 0; attempt++) {
    if (attempt > 0) await sleep(afterFailure)
    const name = `${stream}/${call}/${task.name}/${attempt}`
    write({
      what: 'publishing',
      call: name,
      events: open.map(described),
      ...(rolledBack && { rolledBack }),
    })
    const results = await send(open)
    write({ what: 'published', call: name, results })
    open = rolledBack ? [] : open.filter((_, i) => results[i] !== 'taken')
  }
}

function described({ id, type, key, time, deliverAt }: MillraceEvent): PublishedEvent {
  return {
    id,
    type,
    ...(key !== undefined && { key }),
    ...(deliverAt !== undefined && {
      deliverAt: deliverAt.getTime(),
      delay: deliverAt.getTime() - time.getTime(),
    }),
  }
}

async function publishAll(events: readonly MillraceEvent[]): Promise<readonly PublishOutcome[]> {
  try {
    await app.publish(events)
    return events.map(() => 'taken')
  } catch (error) {
    if (!(error instanceof PublishError)) throw error
    write({ what: 'noticed', code: error.code, message: error.message })
    return error.results
  }
}

async function run(stream: number): Promise<void> {
  const { call: first, open } = whereToGoOn(stream)
  await publish(stream, first - 1, open)
  for (let call = first; !stopping.aborted; call++) {
    await sleep(callOf(seed, stream, call).pause)
    await publish(stream, call, eventsOf(stream, call))
  }
}

write({ what: 'up' })
await Promise.all(task.streams.map(run))
await app.stop()
