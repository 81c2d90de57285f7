/*
 * What a row of the benchmark is: data that says what is measured, and the functions that do it. The runners of
 * measure.ts do the rest, so that every row is measured in the same way.
 */

/** What a reader must know to judge the figures: sizes, durability, how many at a time. */
export type Settings = Readonly<Record<string, string | number>>

interface Described {
  /** `system.what`, as it is asked for on the command line. */
  readonly name: string
  readonly about: string
  /** What ours is held against, in words. */
  readonly baseline: string
}

/** Milliseconds that something took: by the clock, and of this process's processors, where all the work is done by it. */
export interface Spent {
  readonly wall: number
  readonly cpu: number | undefined
}

export interface Work extends Spent {
  /** How many events were really handled or published: figures of a side that does less than it is asked for mean nothing. */
  readonly events: number
}

/** Handles or publishes so many events. What has to be prepared does not count. */
export type Run = (count: number) => Promise<Work>
/** Runs for so many seconds; gives one latency in milliseconds for each event. */
export type Sample = (seconds: number) => Promise<readonly number[]>

/** The two sides of a row, ready to be measured in turns, and what is only shown beside them. */
export interface Sides<Side> extends AsyncDisposable {
  readonly settings: Settings
  readonly raw: Side
  readonly ours: Side
  readonly beside?: Readonly<Record<string, Side>>
}

export interface OpenOptions {
  /** Whether to measure other libraries too. They are installed when they are first asked for. */
  readonly peers: boolean
  /** A trial: less of everything. */
  readonly quick: boolean
}

/** Events per second; the ratio of both sides is what counts. */
export interface RateRow extends Described {
  readonly kind: 'rate'
  /** ours / raw, at least. */
  readonly bar?: number
  /** Processor time of ours per event in microseconds, at most. */
  readonly cpuBar?: number
  open(options: OpenOptions): Promise<Sides<Run>>
}

/** p50 and p99; ours may be later than raw by 1 ms or by half, whichever is more. */
export interface LatencyRow extends Described {
  readonly kind: 'latency'
  open(options: OpenOptions): Promise<Sides<Sample>>
}

export interface Quantity {
  readonly name: string
  readonly unit: string
  readonly value: number
  readonly atLeast?: number
  readonly atMost?: number
}

/** Quantities of ours alone, measured once. */
export interface QuantityRow extends Described {
  readonly kind: 'quantity'
  measure(
    options: OpenOptions,
  ): Promise<{ readonly settings: Settings; readonly quantities: readonly Quantity[] }>
}

export type Row = RateRow | LatencyRow | QuantityRow
