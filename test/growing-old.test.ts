import { setImmediate as turn } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { memory } from '../src/adapters/memory/index.ts'
import { millrace, type MillraceEvent, type Queue } from '../src/index.ts'
import { canCollect, collect, grownOld } from './garbage.ts'

const count = 30_000
/** Events that are published at a time, and then handled. */
const wave = 150
const text = 'x'.repeat(1_000)

type Handle = (events: readonly MillraceEvent[]) => Promise<void>

const queues: readonly (readonly [string, (queue: Queue, handle: Handle) => unknown])[] = [
  ['a handler', (queue, handle) => queue.on('*', (event) => handle([event]))],
  [
    'a handler behind a middleware that adds to its context',
    (queue, handle) =>
      queue.use((event, _, next) => next(event, { user: event.id })).on('*', (event) => handle([event])),
  ],
  ['batches of one', (queue, handle) => queue.onBatch('*', { size: 1 }, handle)],
  [
    'batches of events to whose context a middleware adds',
    (queue, handle) =>
      queue.use((event, _, next) => next(event, { user: event.id })).onBatch('*', { size: 10 }, handle),
  ],
  ['batches', (queue, handle) => queue.onBatch('*', { size: 10 }, handle)],
]

test.runIf(canCollect).each(queues)(
  'what was handled does not grow old with what came before it: %s',
  async (_, handleWith) => {
    const app = millrace({ transport: memory(), logger: false })
    onTestFinished(() => app.stop())
    let handled = 0
    handleWith(app.queue('q'), async (events) => {
      await turn()
      handled += events.length
    })
    await app.start()
    const run = async (waves: number, look = (): void => {}): Promise<void> => {
      for (let n = 1; n <= waves; n++) {
        const end = handled + wave
        const isOver = (): boolean => handled >= end
        await Promise.all(Array.from({ length: wave }, () => app.publish('a.b', { text })))
        while (!isOver()) await turn()
        if (n % 10 === 0) look()
      }
    }
    await run(20)
    // Makes old what is there now.
    collect('major')
    expect(await grownOld((look) => run(count / wave, look))).toBeLessThan((count * text.length) / 2)
  },
)
