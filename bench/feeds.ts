import { createEvent, type App, type QueueOptions, type Transport } from '../src/index.ts'
import { appOn, type } from './app.ts'
import { customerOf, inBatches, inFlight, order, Tally } from './load.ts'
import type { Work } from './row.ts'

/** Publishes so many events. */
export type Feed = (app: App, count: number) => Promise<void>

/** By callers who wait for each of their events, so many at once. */
export const oneByOne =
  (width: number): Feed =>
  (app, count) =>
    inFlight(count, width, (n) => app.publish(type, order(n), { key: customerOf(n) }))

/** In arrays, one after the other or so many at once. */
export const inArrays =
  (size: number, width = 1): Feed =>
  (app, count) =>
    inBatches(
      count,
      size,
      (numbers) => app.publish(numbers.map((n) => createEvent(type, order(n), { key: customerOf(n) }))),
      width,
    )

/** Handles the events that wait, and all of them: nothing may come twice or be left behind in `queue`. */
export async function consume(
  transport: Transport,
  queue: { size(): number | Promise<number> },
  count: number,
  options: QueueOptions,
): Promise<Work> {
  const tally = new Tally(count)
  const app = appOn(transport, () => tally.add(), options)
  await app.start()
  const spent = await tally.all
  await app.stop()
  await mustBeEmpty(queue)
  return { ...spent, events: tally.seen }
}

/** Publishes and handles events at the same time, so many in flight. */
export async function publishAndConsume(transport: Transport, width: number, count: number): Promise<Work> {
  const tally = new Tally(count)
  const app = appOn(transport, () => tally.add())
  await app.start()
  await oneByOne(width)(app, count)
  const spent = await tally.all
  await app.stop()
  return { ...spent, events: tally.seen }
}

/** What was handled must have been removed, too. */
export async function mustBeEmpty(queue: { size(): number | Promise<number> }): Promise<void> {
  const left = await queue.size()
  if (left > 0) throw new Error(`${left} events were left behind`)
}
