import { setTimeout as sleep } from 'node:timers/promises'
import { postgres } from '../../src/adapters/postgres/index.ts'
import { systemClock } from '../../src/clock/clock.ts'
import type { Received, Settlement } from '../../src/contract/transport.ts'

/*
 * A consumer in a process of its own: holds a few events at a time, for some milliseconds, and tells the process that made
 * it which ones it had when, by the machine's clock. Ends when it is told to.
 */
const [url = '', queue = '', lease = ''] = process.argv.slice(2)

export interface Handled {
  readonly id: string
  readonly key: string | undefined
  readonly from: number
  readonly to: number
  /** All that came with it. */
  readonly among: readonly string[]
}

const transport = postgres(url)
const session = await transport.open(queue, {
  lease: Number(lease),
  order: true,
  clock: systemClock,
  notice: () => {},
  onRevoke: () => {},
  onLost: () => {},
})
const stop = new AbortController()
process.on('message', () => stop.abort())
process.send?.('ready')

let held: readonly Received[] = []
let from = 0
let lapsed = false
while (!stop.signal.aborted) {
  const settle = held.map((of): Settlement => ({ of, as: 'ack' }))
  const to = systemClock.monotonic()
  const result = await session.exchange({ settle, max: lapsed ? 0 : 6, ...(lapsed && { lapsed: 1 }) })
  const among = held.map(({ id }) => id)
  const handled = held
    .filter((_, i) => (result.settled?.[i] ?? 'done') === 'done')
    .map(({ id, key }): Handled => ({ id, key, from, to, among }))
  if (handled.length > 0) process.send?.(handled)
  held = result.received
  from = systemClock.monotonic()
  // What has lapsed is asked for alone, when nothing else is held.
  lapsed = result.lapsed === true && !lapsed
  if (held.length > 0) await sleep(Math.random() * 4)
  else if (!lapsed) await session.ready(AbortSignal.any([stop.signal, AbortSignal.timeout(200)]))
}
await transport.close()
process.disconnect?.()
