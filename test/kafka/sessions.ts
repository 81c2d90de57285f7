import { systemClock } from '../../src/clock/clock.ts'
import type { QueueSpec, Received, Session, SessionOptions, Transport } from '../../src/contract/transport.ts'
import { createEvent, type EventOptions } from '../../src/event/event.ts'
import { encodeEvent, type Outgoing } from '../../src/event/outgoing.ts'

let last = 0

/** A name that nobody else uses on a server that is shared. */
export function newName(what: string): string {
  return `${what}-${Date.now().toString(36)}-${process.pid}-${++last}`
}

export function spec(name: string, topic: string, options: Partial<QueueSpec> = {}): QueueSpec {
  return { name, subscriptions: [{ topic, pattern: '*' }], from: 'now', order: false, ...options }
}

export function event(topic: string, data: unknown, options: EventOptions = {}): Outgoing {
  return encodeEvent(createEvent(`${topic}.made`, data, { topic, ...options }))
}

export function open(
  transport: Transport,
  queue: string,
  options: Partial<SessionOptions> = {},
): Promise<Session> {
  return transport.open(queue, {
    lease: 30_000,
    order: false,
    clock: systemClock,
    notice: () => {},
    onRevoke: () => {},
    onLost: () => {},
    ...options,
  })
}

/** So many events, as soon as they are there. */
export async function receive(session: Session, count: number): Promise<readonly Received[]> {
  const received: Received[] = []
  for (;;) {
    received.push(...(await session.exchange({ settle: [], max: count - received.length })).received)
    if (received.length === count) return received
    await session.ready(AbortSignal.timeout(30_000))
  }
}

export function dataOf({ data }: Pick<Received, 'data'>): unknown {
  return JSON.parse(String(data))
}
