import { expect } from 'vitest'
import type { Received } from '../contract/transport.ts'
import { createEvent, type EventHead, type EventOptions } from '../event/event.ts'
import { encodeEvent, type Outgoing } from '../event/outgoing.ts'
import { bytesOf, textOf, type Raw } from '../event/payload.ts'
import { dataOf, type Bench, type Case } from './harness.ts'
import { record } from './record.ts'

/** A head without what is undefined: a system may leave out what is not there. */
function normal(head: EventHead): unknown {
  return JSON.parse(JSON.stringify({ ...head, extensions: head.extensions ?? {} }))
}

/** Sends the event through a queue, once as it is and once through a retry, and expects it unchanged both times. */
async function travels(bench: Bench, event: Outgoing): Promise<Received> {
  const session = await bench.session(await bench.queue())
  await bench.publish(event)
  const first = await bench.receiveOne(session)
  unchanged(first, event)
  await bench.settle(session, { of: first, as: 'retry' })
  const second = await bench.receiveOne(session)
  unchanged(second, event)
  return second
}

function unchanged(received: Received, event: Outgoing): void {
  expect({ id: received.id, type: received.type, key: received.key }).toEqual({
    id: event.id,
    type: event.type,
    key: event.key,
  })
  expect(normal(received.head)).toEqual(normal(event.head))
  expect(Buffer.compare(bytesOf(received.data), bytesOf(event.data)), 'the data changed').toBe(0)
}

/** An event of which only type and data were said; `undefined` is no data at all. */
function plain(bench: Bench, value: unknown): Outgoing {
  return encodeEvent(createEvent(bench.type('plain'), value, { topic: bench.topic }))
}

/** The event with data that no encoder of ours would make. */
function withData(event: Outgoing, data: Raw, contentType?: string): Outgoing {
  return { ...event, data, head: { ...event.head, contentType } }
}

const odd = '𝕏 😀 مرحبا \u2028 \u0085 ﷽ "quoted" \\back'

/** What travels arrives as it was. */
export const data: readonly Case[] = [
  {
    name: 'all attributes arrive as they were sent',
    async run(bench) {
      const options: EventOptions = {
        id: 'my-own-id',
        key: 'customer 7',
        subject: 'orders/7',
        source: 'https://shop.example/a?b=c',
        time: new Date('2026-02-28T23:59:59.987Z'),
        correlationId: 'c-1',
        causationId: 'c-0',
        extensions: {
          tenant: 'acme',
          empty: '',
          weight: 1.5,
          negative: -7,
          big: 2 ** 40,
          sampled: true,
          dark: false,
        },
      }
      await travels(bench, bench.event('placed', { a: 1 }, options))
    },
  },
  {
    name: 'an event with nothing but a type arrives without attributes that nobody gave it',
    async run(bench) {
      const received = await travels(bench, plain(bench, undefined))
      expect(received.key).toBe(undefined)
      const { subject, deliverAt, correlationId, causationId, contentType } = received.head
      expect(
        [subject, deliverAt, correlationId, causationId, contentType].filter((one) => one !== undefined),
      ).toEqual([])
    },
  },
  {
    name: 'a deliverAt that is past arrives with its milliseconds',
    async run(bench) {
      await travels(bench, bench.event('placed', 1, { deliverAt: new Date('2020-01-01T00:00:00.123Z') }))
    },
  },
  {
    name: 'unicode in data and attributes',
    async run(bench) {
      const options = { id: odd, key: odd, subject: odd, correlationId: odd, extensions: { odd } }
      await travels(bench, bench.event('größe-😀', { [odd]: `${odd}\u0000\u0001 and on` }, options))
    },
  },
  {
    name: 'NUL in text data',
    async run(bench) {
      await travels(bench, withData(bench.event('text'), `\u0000before\u0000after\u0000${odd}`, 'text/plain'))
    },
  },
  {
    name: 'lone surrogates: escaped ones in JSON stay, bare ones in text become U+FFFD at worst',
    async run(bench) {
      const received = await travels(bench, bench.event('placed', { half: '\ud83d' }))
      expect(dataOf(received)).toEqual({ half: '\ud83d' })
      const session = await bench.session(await bench.queue())
      await bench.publish(withData(bench.event('text'), 'a\ud83db', 'text/plain'))
      expect(textOf((await bench.receiveOne(session)).data).toWellFormed()).toBe('a\ufffdb')
    },
  },
  {
    name: 'JSON arrives byte for byte: big integers, key order, spaces, escapes, repeated keys',
    async run(bench) {
      const text = '{ "z":12345678901234567890,"a" : 1.0e2,\n"10":"\\u0041\\/","2":-0, "z":0.10 }'
      await travels(bench, withData(bench.event('placed'), text))
    },
  },
  {
    name: 'binary data: every byte, and none at all',
    async run(bench) {
      const bytes = Uint8Array.from({ length: 512 }, (_, i) => i % 256)
      const received = await travels(bench, bench.event('binary', bytes))
      expect(received.head.contentType).toBe('application/octet-stream')
      await travels(bench, bench.event('binary', new Uint8Array()))
      await travels(bench, withData(bench.event('image'), Uint8Array.of(0xff, 0x00, 0xc3, 0x28), 'image/png'))
    },
  },
  {
    name: 'no data, and the data null, false, zero and empty text',
    async run(bench) {
      for (const value of [undefined, null, false, 0, '']) await travels(bench, plain(bench, value))
    },
  },
  {
    name: 'attributes as long as they may be',
    async run(bench) {
      const long = 'ü'.repeat(1024)
      await travels(
        bench,
        bench.event('placed', 1, { id: long, key: long, subject: long, correlationId: long }),
      )
    },
  },
  {
    name: 'no object of the publisher reaches a consumer, and none of a consumer the next',
    async run(bench) {
      const session = await bench.session(await bench.queue())
      const bytes = Uint8Array.of(1, 2, 3)
      const event = withData(bench.event('binary'), bytes, 'application/octet-stream')
      await bench.publish(event)
      bytes.fill(9)
      const first = await bench.receiveOne(session)
      expect([...bytesOf(first.data)]).toEqual([1, 2, 3])
      expect(first.head).not.toBe(event.head)
      bytesOf(first.data).fill(8)
      await bench.settle(session, { of: first, as: 'retry' })
      expect([...bytesOf((await bench.receiveOne(session)).data)]).toEqual([1, 2, 3])
    },
  },
  {
    name: 'whoever writes into a dead letter changes only their own',
    async run(bench) {
      const queue = await bench.queue()
      const session = await bench.session(queue)
      await bench.publish(bench.event('binary', Uint8Array.of(1, 2, 3)))
      await bench.settle(session, { of: await bench.receiveOne(session), as: 'dead', record })
      const { admin } = bench.transport
      const letters = async () => {
        const [listed] = await admin.deadLetters(queue, { limit: 1 })
        return [listed!, (await admin.deadLetter(queue, listed!.letter))!]
      }
      for (const one of await letters()) bytesOf(one.data).fill(9)
      for (const one of await letters()) expect([...bytesOf(one.data)]).toEqual([1, 2, 3])
    },
  },
  {
    name: 'one id published twice is two events, unless the system recognises it',
    unless: ({ dedupe }) => (dedupe === 0 ? undefined : `features.dedupe is ${dedupe}`),
    async run(bench) {
      const session = await bench.session(await bench.queue())
      const event = bench.event('placed')
      await bench.publish(event)
      await bench.publish(event)
      const received = await bench.handle(session, 2)
      expect(received.map(({ id }) => id)).toEqual([event.id, event.id])
    },
  },
  {
    name: 'one id published twice within features.dedupe is one event',
    unless: ({ dedupe }) => (dedupe === 0 ? 'features.dedupe is 0' : undefined),
    async run(bench) {
      const session = await bench.session(await bench.queue())
      const event = bench.event('placed')
      await bench.publish(event)
      await bench.publish(event)
      await bench.handle(session, 1)
      await bench.nothing(session, 'a second publish of one id was not recognised')
    },
  },
  {
    name: 'one id published again is recognised in each queue that still has it, in whatever state, and in no other',
    unless: ({ dedupe }) => (dedupe === 'waiting' ? undefined : `features.dedupe is ${dedupe}`),
    async run(bench) {
      const [queue, other] = [await bench.queue(), await bench.queue('other')]
      const [session, quick] = [await bench.session(queue), await bench.session(other)]
      const event = bench.event('placed')
      await bench.publish(event, event)
      await bench.handle(quick, 1)
      await bench.publish({ ...event, data: '"while it is held"' })
      await bench.handle(quick, 1, 'the event again, in the queue that had handled it')
      const held = await bench.receiveOne(session)
      await bench.settle(session, { of: held, as: 'retry', delay: 50 })
      await bench.publish({ ...event, data: '"while it is retried"' })
      const retried = await bench.receiveOne(session)
      expect(retried).toMatchObject({ id: event.id, attempt: 2, data: event.data })
      await bench.settle(session, { of: retried, as: 'ack' })
      await bench.nothing(session, 'a second publish of one id was not recognised')
      await bench.publish({ ...event, data: '"new"' })
      expect(await bench.receiveOne(session)).toMatchObject({ id: event.id, attempt: 1, data: '"new"' })
    },
  },
]
