import { MemoryTransport } from '../../src/adapters/memory/memory-transport.ts'
import { createEvent, type App } from '../../src/index.ts'
import { appOn, type } from '../app.ts'
import { inBatches, inFlight, order, stopwatch, Tally } from '../load.ts'
import type { RateRow, Run, Sides } from '../row.ts'
import { bareCalls } from './bare.ts'

const batch = 100
const width = 256

/** How events get into the app: the data of the n-th, and whether one by one or many in a call. */
type Feed = (app: App, count: number, dataOf: (n: number) => unknown) => Promise<void>

const inArrays: Feed = (app, count, dataOf) =>
  inBatches(count, batch, (numbers) => app.publish(numbers.map((n) => createEvent(type, dataOf(n)))))

const oneByOne: Feed = (app, count, dataOf) => inFlight(count, width, (n) => app.publish(type, dataOf(n)))

/** From the first publish to the last acknowledgement. */
function through(serialises: boolean, feed: Feed): Run {
  return async (count) => {
    const tally = new Tally(count)
    const app = appOn(new MemoryTransport({ serialises }), () => tally.add())
    await app.start()
    const spent = stopwatch()
    await Promise.all([feed(app, count, serialises ? order : () => undefined), tally.all])
    await app.stop()
    return spent()
  }
}

/** Events that wait already: from the first handler to the last acknowledgement. */
const backlog: Run = async (count) => {
  const transport = new MemoryTransport({ serialises: false })
  const tally = new Tally(count)
  const app = appOn(transport, () => tally.add())
  await inArrays(app, count, () => undefined)
  await app.start()
  const spent = await tally.all
  await app.stop()
  return spent
}

const path = 'publish, route, 2 middlewares, handler, acknowledgement'

function row(name: string, about: string, ours: Run, settings: Readonly<Record<string, string>>): RateRow {
  const serialises = settings['data'] !== undefined
  return {
    kind: 'rate',
    name: `engine.${name}`,
    about,
    baseline: serialises
      ? 'JSON.stringify of the same data, a look-up by type and bare async calls of the same functions'
      : 'a look-up by type and bare async calls of the same functions',
    cpuBar: 1,
    async open(): Promise<Sides<Run>> {
      return {
        settings: { ...settings, concurrency: 16, durable: 'memory' },
        raw: bareCalls(serialises),
        ours,
        async [Symbol.asyncDispose]() {},
      }
    },
  }
}

export const engineRows: readonly RateRow[] = [
  row(
    'backlog',
    'waiting events through route, 2 middlewares, handler, acknowledgement; nothing serialised',
    backlog,
    {},
  ),
  row('arrays', `${path}; arrays of ${batch}, nothing serialised`, through(false, inArrays), {}),
  row(
    'one-by-one',
    `${path}; ${width} publishes in flight, nothing serialised`,
    through(false, oneByOne),
    {},
  ),
  row('serialised', `${path}; arrays of ${batch}, 1 KB of JSON`, through(true, inArrays), {
    data: '1 KB of JSON',
  }),
]
