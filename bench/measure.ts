import { Contest, type Pace } from './contest.ts'
import type { LatencyRow, OpenOptions, QuantityRow, RateRow, Row, Settings } from './row.ts'
import { quantile, spreadOf, type Spread } from './spread.ts'

/** One line of the report. */
export interface Figure {
  readonly name: string
  readonly unit: string
  readonly ours: Spread
  readonly raw?: Spread
  /** ours / raw, of each pair. */
  readonly ratio?: Spread
  /** What was measured beside the two. */
  readonly beside?: Readonly<Record<string, Spread>>
  readonly bar?: { readonly text: string; readonly kept: boolean }
}

export interface Measured {
  readonly settings: Settings
  readonly figures: readonly Figure[]
}

/** How much is measured. */
export interface Effort {
  readonly pairs: number
  readonly latencyPairs: number
  /** The least length of a window. */
  readonly seconds: number
}

/** What the project's promises ask for. */
export const full: Effort = { pairs: 7, latencyPairs: 5, seconds: 3 }
/** Shows that a row works, and no more. */
export const trial: Effort = { pairs: 2, latencyPairs: 1, seconds: 0.3 }

export function measure(row: Row, effort: Effort, options: OpenOptions): Promise<Measured> {
  if (row.kind === 'rate') return measureRate(row, effort, options)
  if (row.kind === 'latency') return measureLatency(row, effort, options)
  return measureQuantities(row, options)
}

async function measureRate(row: RateRow, effort: Effort, options: OpenOptions): Promise<Measured> {
  await using sides = await row.open(options)
  const least = effort.seconds * 1_000
  const pair = new Contest([sides.raw, sides.ours], least)
  const others = Object.entries(sides.beside ?? {}).map(([name, run]) => ({
    name,
    contest: new Contest([run], least),
    paces: [] as Pace[],
  }))
  const raw: Pace[] = []
  const ours: Pace[] = []
  for (let n = 0; n < effort.pairs; n++) {
    const [ofRaw, ofOurs] = (await pair.round()) as [Pace, Pace]
    raw.push(ofRaw)
    ours.push(ofOurs)
    for (const { contest, paces } of others) paces.push(...(await contest.round()))
  }
  const figure = (name: string, unit: string, of: (pace: Pace) => number): Figure => ({
    name,
    unit,
    raw: spreadOf(raw.map(of)),
    ours: spreadOf(ours.map(of)),
    ratio: spreadOf(ours.map((pace, n) => of(pace) / of(raw[n] as Pace))),
    ...(others.length > 0 && {
      beside: Object.fromEntries(others.map(({ name: other, paces }) => [other, spreadOf(paces.map(of))])),
    }),
  })
  const throughput = figure('throughput', 'events/s', ({ perSecond }) => perSecond)
  const cpu = figure('processor time', 'us/event', (pace) => pace.cpu ?? Number.NaN)
  const bar =
    row.bar === undefined ? {} : barOf(`ratio >= ${row.bar}`, (throughput.ratio?.median ?? 0) >= row.bar)
  const cpuBar = row.cpuBar === undefined ? {} : barOf(`<= ${row.cpuBar}`, cpu.ours.median <= row.cpuBar)
  const allHere = [...raw, ...ours].every((pace) => pace.cpu !== undefined)
  return {
    settings: sides.settings,
    figures: [{ ...throughput, ...bar }, ...(allHere ? [{ ...cpu, ...cpuBar }] : [])],
  }
}

const latencySeconds = 5

async function measureLatency(row: LatencyRow, effort: Effort, options: OpenOptions): Promise<Measured> {
  await using sides = await row.open(options)
  const seconds = Math.min(latencySeconds, effort.seconds * 5)
  const raw: (readonly number[])[] = []
  const ours: (readonly number[])[] = []
  for (let n = 0; n < effort.latencyPairs; n++) {
    raw.push(await sides.raw(seconds))
    ours.push(await sides.ours(seconds))
    if (raw[n]!.length !== ours[n]!.length) {
      throw new Error(`Ours had ${ours[n]!.length} events, raw ${raw[n]!.length}`)
    }
  }
  const figure = (name: string, part: number): Figure & { readonly raw: Spread } => ({
    name,
    unit: 'ms',
    raw: spreadOf(raw.map((all) => quantile(all, part))),
    ours: spreadOf(ours.map((all) => quantile(all, part))),
  })
  const p99 = figure('p99', 0.99)
  const limit = p99.raw.median + Math.max(1, p99.raw.median / 2)
  const bar = barOf('<= raw + max(1 ms, 50 %)', p99.ours.median <= limit)
  return { settings: sides.settings, figures: [figure('p50', 0.5), { ...p99, ...bar }] }
}

async function measureQuantities(row: QuantityRow, options: OpenOptions): Promise<Measured> {
  const { settings, quantities } = await row.measure(options)
  return {
    settings,
    figures: quantities.map(({ name, unit, value, atLeast, atMost }) => ({
      name,
      unit,
      ours: spreadOf([value]),
      ...(atLeast !== undefined && barOf(`>= ${atLeast}`, value >= atLeast)),
      ...(atMost !== undefined && barOf(`<= ${atMost}`, value <= atMost)),
    })),
  }
}

function barOf(text: string, kept: boolean): Required<Pick<Figure, 'bar'>> {
  return { bar: { text, kept } }
}
