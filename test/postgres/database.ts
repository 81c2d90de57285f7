import { randomUUID } from 'node:crypto'
import { Pool } from 'pg'
import { onTestFinished } from 'vitest'
import { postgres, type PostgresOptions } from '../../src/adapters/postgres/index.ts'
import { systemClock } from '../../src/clock/clock.ts'
import type { Notice, QueueSpec, Received, Session, Transport } from '../../src/contract/transport.ts'
import { createEvent, type EventOptions } from '../../src/event/event.ts'
import { encodeEvent, type Outgoing } from '../../src/event/outgoing.ts'

/** Somebody with psql. */
export interface Hand {
  query<Row>(sql: string, values?: unknown[]): Promise<readonly Row[]>
  /** Does something within a transaction that has run a statement, and takes that back. */
  during<T>(sql: string, work: () => Promise<T>): Promise<T>
}

/** A schema that no other test of any run uses. */
export function newSchema(): string {
  return `test_${randomUUID().replaceAll('-', '')}`
}

export function handOn(url: string): Hand {
  const pool = new Pool({ connectionString: url, max: 2 })
  pool.on('error', () => undefined)
  onTestFinished(() => pool.end())
  return {
    query: async <Row>(sql: string, values?: unknown[]) => (await pool.query(sql, values)).rows as Row[],
    async during(sql, work) {
      const connection = await pool.connect()
      connection.on('error', () => undefined)
      try {
        await connection.query(`BEGIN; ${sql}`)
        return await work()
      } finally {
        connection.release(true)
      }
    },
  }
}

/** Closed at the end of the test. */
export function open(
  url: string,
  schema: string,
  options: PostgresOptions = {},
): ReturnType<typeof postgres> {
  const transport = postgres({ connectionString: url, schema, ...options })
  onTestFinished(() => transport.close())
  return transport
}

export function spec(name: string, options: Partial<QueueSpec> = {}): QueueSpec {
  return { name, subscriptions: [{ topic: 'order', pattern: '*' }], from: 'now', order: false, ...options }
}

export function event(data: unknown, options: EventOptions = {}): Outgoing {
  return encodeEvent(createEvent('order.placed', data, options))
}

export function sessionOn(
  transport: Transport,
  queue: string,
  lease = 30_000,
  order = false,
  notice: (notice: Notice) => void = () => {},
): Promise<Session> {
  return transport.open(queue, {
    lease,
    order,
    clock: systemClock,
    notice,
    onRevoke: () => {},
    onLost: () => {},
  })
}

/** One that writes down what it is told. */
export async function noticingOn(
  transport: Transport,
  queue: string,
): Promise<{ readonly session: Session; readonly notices: readonly Notice[] }> {
  const notices: Notice[] = []
  const session = await sessionOn(transport, queue, 30_000, false, (notice) => notices.push(notice))
  return { session, notices }
}

/** Takes and acknowledges all that is ready. */
export async function handleAll(transport: Transport, queue: string): Promise<readonly Received[]> {
  const session = await sessionOn(transport, queue)
  const taken: Received[] = []
  let received: readonly Received[] = []
  do {
    const settle = received.map((of) => ({ of, as: 'ack' as const }))
    received = (await session.exchange({ settle, max: 128 })).received
    taken.push(...received)
  } while (received.length > 0)
  await session.close()
  return taken
}

/** Takes and acknowledges what comes in `count` exchanges. */
export async function handle(session: Session, count: number): Promise<readonly Received[]> {
  const taken: Received[] = []
  let received: readonly Received[] = []
  for (let i = 0; i < count; i++) {
    const settle = received.map((of) => ({ of, as: 'ack' as const }))
    received = (await session.exchange({ settle, max: 128 })).received
    taken.push(...received)
  }
  await session.settle(received.map((of) => ({ of, as: 'ack' })))
  return taken
}

/** One event, if it comes within so many milliseconds. */
export async function take(session: Session, ms: number): Promise<readonly Received[]> {
  const signal = AbortSignal.timeout(ms)
  for (;;) {
    const { received } = await session.exchange({ settle: [], max: 1 })
    if (received.length > 0 || signal.aborted) return received
    await session.ready(signal)
  }
}

export const idsOf = (received: readonly Received[]): readonly string[] => received.map(({ id }) => id)
