import type { Spent, Work } from './row.ts'

/** What is published: about 1 KB of JSON, another object each time. */
export function order(n: number): { readonly orderId: number; readonly note: string } {
  return { orderId: n, note: filling }
}

/** 10,000 keys, all of one length. */
export function customerOf(n: number): string {
  return `customer-${String(n % 10_000).padStart(5, '0')}`
}

/** An id as long as a UUID; they ascend, as ours do. */
export function idOf(n: number): string {
  return `01890000-0000-7000-8000-${String(n).padStart(12, '0')}`
}

const filling = 'x'.repeat(990)

/** Publishers that wait for each of their events, so many at once. */
export async function inFlight(
  count: number,
  width: number,
  publish: (n: number) => Promise<void>,
): Promise<void> {
  let next = 0
  const one = async (): Promise<void> => {
    while (next < count) await publish(next++)
  }
  await Promise.all(Array.from({ length: Math.min(width, count) }, one))
}

/** Batches, one after the other or so many at once; the last one may be smaller. */
export async function inBatches(
  count: number,
  size: number,
  publish: (numbers: readonly number[]) => Promise<void>,
  width = 1,
): Promise<void> {
  const batches = Math.ceil(count / size)
  await inFlight(batches, width, (batch) => {
    const from = batch * size
    return publish(Array.from({ length: Math.min(size, count - from) }, (_, n) => from + n))
  })
}

/** Begins now; what it returns tells what was spent since. */
export function stopwatch(): () => Spent {
  const began = performance.now()
  const before = process.cpuUsage()
  return () => {
    const { user, system } = process.cpuUsage(before)
    return { wall: performance.now() - began, cpu: (user + system) / 1_000 }
  }
}

export async function timed(work: () => Promise<unknown>): Promise<Spent> {
  const spent = stopwatch()
  await work()
  return spent()
}

/** Counts to `count`. */
export class Tally {
  readonly #count: number
  readonly #done = Promise.withResolvers<Work>()
  #seen = 0
  #spent: (() => Spent) | undefined

  constructor(count: number) {
    this.#count = count
  }

  add(): void {
    this.#spent ??= stopwatch()
    if (++this.#seen === this.#count) this.#done.resolve({ ...this.#spent(), events: this.#seen })
  }

  /** More than `count` if some came twice. */
  get seen(): number {
    return this.#seen
  }

  /** Resolves when all have come, with what was spent since the first one. */
  get all(): Promise<Work> {
    return this.#done.promise
  }
}
