import { setTimeout as sleep } from 'node:timers/promises'
import { createEvent, PublishError, type MillraceEvent } from '../../src/index.ts'
import { begin, type Task } from './begin.ts'
import { readHistories } from './history.ts'
import { callOf, type ChaosData } from './plan.ts'
import { stepWhenTold } from './steps.ts'

/*
 * A process that publishes what is planned, one call of each of its streams at a time, until SIGTERM. What was not taken
 * it publishes again, also what a former process of its slot left open. Ends when all it has begun is taken.
 */
export interface PublisherTask extends Task {
  readonly slot: string
  readonly streams: readonly number[]
}

const afterFailure = 200

const { task, app, write, stopping } = await begin<PublisherTask>()
const { folder, name, seed } = task
const former = readHistories(folder, `${task.slot}.`)
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

/** One call after the other until all is taken; each has a name of its own. */
async function publish(stream: number, call: number, events: readonly MillraceEvent[]): Promise<void> {
  let open = events
  for (let attempt = 0; open.length > 0; attempt++) {
    if (attempt > 0) await sleep(afterFailure)
    open = await publishOnce(`${stream}/${call}/${name}/${attempt}`, open)
  }
}

/** Gives what was not taken. */
async function publishOnce(
  call: string,
  events: readonly MillraceEvent[],
): Promise<readonly MillraceEvent[]> {
  write({
    what: 'publishing',
    call,
    events: events.map(({ id, type, key, time, deliverAt }) => ({
      id,
      type,
      ...(key !== undefined && { key }),
      ...(deliverAt !== undefined && {
        deliverAt: deliverAt.getTime(),
        delay: deliverAt.getTime() - time.getTime(),
      }),
    })),
  })
  try {
    await app.publish(events)
    write({ what: 'published', call, results: events.map(() => 'taken') })
    return []
  } catch (error) {
    if (!(error instanceof PublishError)) throw error
    write({ what: 'noticed', code: error.code, message: error.message })
    write({ what: 'published', call, results: error.results })
    return events.filter((_, i) => error.results[i] !== 'taken')
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
