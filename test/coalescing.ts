import { createEvent } from '../src/event/event.ts'
import { encodeEvent, type Outgoing } from '../src/event/outgoing.ts'
import type { Outcomes } from '../src/publish/call.ts'
import { Coalescer } from '../src/publish/coalescer.ts'
import { faultyTransport, type TransportFaults } from './faulty-transport.ts'

export const event = (id: string, key?: string, data: unknown = 1): Outgoing =>
  encodeEvent(createEvent('a.b', data, { id, ...(key !== undefined && { key }) }))
export const some = (n: number, from = 0): Outgoing[] =>
  Array.from({ length: n }, (_, i) => event(String(from + i)))

export const deaf: Outcomes = { taken() {}, failed() {} }

/** A coalescer on the memory transport that writes down which calls it makes. */
export function coalescing(
  publish?: TransportFaults['publish'],
  outcomes = deaf,
): { coalescer: Coalescer; calls: string[][] } {
  const calls: string[][] = []
  const transport = faultyTransport({
    publish(call, events, options) {
      calls.push(events.map(({ id }) => id))
      return publish === undefined ? call(events, options) : publish(call, events, options)
    },
  })
  return { coalescer: new Coalescer(async () => transport, outcomes), calls }
}
