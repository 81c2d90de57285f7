import { setTimeout as sleep } from 'node:timers/promises'
import { createEvent, isMillraceError, type DeadLetter } from '../../src/index.ts'
import { begin, type Task } from './begin.ts'
import { dice } from './dice.ts'
import { cure } from './marks.ts'
import type { ChaosData } from './plan.ts'

/*
 * A process that looks at the dead letters now and then and puts some back: many as they are, or one with another event in
 * its place. SIGTERM ends it.
 */
export interface OperatorTask extends Task {
  readonly queues: readonly string[]
}

/** Milliseconds between two looks at all queues. */
const round = 2_000

const { task, app, write, stopping } = await begin<OperatorTask>()
const { folder, name, seed, queues } = task
const chance = dice(seed, name)
let calls = 0

async function lookAt(queue: string): Promise<void> {
  const chosen: DeadLetter[] = []
  for await (const letter of app.deadLetters(queue).list()) if (chance.next() < 0.5) chosen.push(letter)
  const [first, ...others] = chosen
  if (first === undefined) return
  if (chance.next() < 0.3) return redrive(queue, [first], true)
  await redrive(queue, [first, ...others], false)
}

async function redrive(queue: string, letters: readonly DeadLetter[], replaces: boolean): Promise<void> {
  const events = letters.map(({ event }) => {
    if (event === undefined) throw new Error(`A dead letter of ${queue} cannot be decoded`)
    return event
  })
  // What is not cured fails or kills once more.
  for (const { id } of events) if (chance.next() < 0.75) cure(folder, queue, id)
  const call = `${name}/${++calls}`
  write({ what: 'redriving', call, queue, ids: events.map(({ id }) => id), replaces })
  const [{ id, type, key }] = events as [(typeof events)[number]]
  const options = { id, ...(key !== undefined && { key }) }
  const count = await app.deadLetters(queue).redrive(
    letters.map((letter) => letter.id),
    replaces ? { replace: createEvent(type, { of: id, replaced: true } satisfies ChaosData, options) } : {},
  )
  write({ what: 'redriven', call, count })
}

write({ what: 'up' })
while (!stopping.aborted) {
  for (const queue of queues) {
    try {
      await lookAt(queue)
    } catch (error) {
      // While the system is away nothing can be looked at; and a letter may have been put back by a call that got no answer.
      if (!isMillraceError(error)) throw error
      write({ what: 'noticed', code: error.code, message: error.message })
    }
  }
  await sleep(round, undefined, { signal: stopping }).catch(() => undefined)
}
await app.stop()
