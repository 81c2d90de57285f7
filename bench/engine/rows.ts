import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { QuantityRow, RateRow, Row, Run, Sides } from '../row.ts'
import { bareCalls } from './bare.ts'
import { arrays, backlog, batch, oneByOne, serialised, width } from './runs.ts'

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
    ...(!serialises && { cpuBar: 1 }),
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

const allocations: QuantityRow = {
  kind: 'quantity',
  name: 'engine.allocations',
  about: 'what an event takes from the heap on the same ways, before anything is collected',
  baseline: 'the bare calls, among the figures',
  async measure() {
    const flags = ['--expose-gc', '--min-semi-space-size=512', '--max-semi-space-size=512']
    const script = fileURLToPath(new URL('allocations-process.ts', import.meta.url))
    const { stdout } = await promisify(execFile)(process.execPath, [...flags, script])
    const bytes = JSON.parse(stdout) as Readonly<Record<string, number>>
    return {
      settings: { concurrency: 16, durable: 'memory', node: flags.join(' ') },
      quantities: Object.entries(bytes).map(([name, value]) => ({ name, unit: 'bytes/event', value })),
    }
  },
}

export const engineRows: readonly Row[] = [
  row(
    'backlog',
    'waiting events through route, 2 middlewares, handler, acknowledgement; nothing serialised',
    backlog,
    {},
  ),
  row('arrays', `${path}; arrays of ${batch}, nothing serialised`, arrays, {}),
  row('one-by-one', `${path}; ${width} publishes in flight, nothing serialised`, oneByOne, {}),
  row('serialised', `${path}; arrays of ${batch}, 1 KB of JSON`, serialised, {
    data: '1 KB of JSON',
  }),
  allocations,
]
