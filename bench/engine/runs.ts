import { MemoryTransport } from '../../src/adapters/memory/memory-transport.ts'
import { createEvent, type App } from '../../src/index.ts'
import { appOn, type } from '../app.ts'
import { inBatches, inFlight, order, stopwatch, Tally } from '../load.ts'
import type { Run } from '../row.ts'

export const batch = 100
export const width = 256

/** How events get into the app: the data of the n-th, and whether one by one or many in a call. */
type Feed = (app: App, count: number, dataOf: (n: number) => unknown) => Promise<void>

const inArrays: Feed = (app, count, dataOf) =>
  inBatches(count, batch, (numbers) => app.publish(numbers.map((n) => createEvent(type, dataOf(n)))))

const singly: Feed = (app, count, dataOf) => inFlight(count, width, (n) => app.publish(type, dataOf(n)))

/** Events at a time: how many are alive decides what the garbage collection costs. */
const live = 20_000

/** In parts, each with an app of its own; what they spend is added up. */
function inParts(part: Run): Run {
  return async (count) => {
    let wall = 0
    let cpu = 0
    let events = 0
    for (let left = count; left > 0; left -= live) {
      const work = await part(Math.min(left, live))
      wall += work.wall
      cpu += work.cpu ?? Number.NaN
      events += work.events
    }
    return { wall, cpu, events }
  }
}

/** From the first publish to the last acknowledgement. */
function through(serialises: boolean, feed: Feed): Run {
  return inParts(async (count) => {
    const tally = new Tally(count)
    const app = appOn(new MemoryTransport({ serialises }), () => tally.add())
    await app.start()
    const spent = stopwatch()
    await Promise.all([feed(app, count, serialises ? order : () => undefined), tally.all])
    await app.stop()
    return { ...spent(), events: tally.seen }
  })
}

/** Events that wait already: from the first handler to the last acknowledgement. */
export const backlog: Run = inParts(async (count) => {
  const transport = new MemoryTransport({ serialises: false })
  const tally = new Tally(count)
  const app = appOn(transport, () => tally.add())
  await inArrays(app, count, () => undefined)
  await app.start()
  const spent = await tally.all
  await app.stop()
  return { ...spent, events: tally.seen }
})

export const arrays = through(false, inArrays)
export const oneByOne = through(false, singly)
export const serialised = through(true, inArrays)
