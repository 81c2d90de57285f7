import { Consumer } from '@platformatic/kafka'
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

/** The keys that a topic with one partition has a value for. */
export async function readCompacted(url: string, topic: string): Promise<ReadonlySet<string>> {
  const connection = { clientId: 'test', bootstrapBrokers: [new URL(url).host] }
  const consumer = new Consumer({ ...connection, groupId: newName('reader') })
  try {
    const end = (await consumer.listOffsets({ topics: [topic] })).get(topic)?.[0] ?? 0n
    const keys = new Set<string>()
    const stream = await consumer.consume({ topics: [topic], mode: 'earliest' })
    for await (const { key, value, offset } of stream) {
      // A tombstone's is none, which the client's types do not say.
      if (value as Buffer | undefined) keys.add(String(key))
      else keys.delete(String(key))
      if (offset + 1n >= end) break
    }
    return keys
  } finally {
    await consumer.close(true)
  }
}
