import { expect } from 'vitest'
import { addFailure, deadLetterRecord, type DeadLetterRecord } from '../contract/dead-letter.ts'
import type { Session } from '../contract/transport.ts'
import type { StoredDeadLetter } from '../contract/transport-admin.ts'
import { bytesOf } from '../event/payload.ts'
import { ascending, dataOf, numbers, numbersOf, type Bench, type Case } from './harness.ts'
import { clockSlack } from './settling.ts'

function recordOf(message: string, failures = 3): DeadLetterRecord {
  let trail = addFailure(undefined, 1_700_000_000_000, `${message}, at first`)
  for (let i = 1; i < failures; i++)
    trail = addFailure(trail, 1_700_000_000_000 + i * 1_000, `${message} ${i} ☃`)
  return deadLetterRecord(
    Object.assign(new TypeError(message), { code: 'E_CARD' }),
    failures,
    1_700_000_060_000,
    trail,
  )
}

/** Publishes so many events and lets each of them die, in their order. */
async function die(bench: Bench, session: Session, count: number): Promise<readonly DeadLetterRecord[]> {
  await bench.publish(...bench.events(count))
  const records = numbers(count).map((i) => recordOf(`event ${i}`))
  const received = await bench.receive(session, count)
  const inOrder = received.toSorted((a, b) => (dataOf(a) as number) - (dataOf(b) as number))
  for (const [i, of] of inOrder.entries())
    await bench.settle(session, { of, as: 'dead', record: records[i]! })
  return records
}

function lettersOf(bench: Bench, queue: string, limit = 1_000): Promise<readonly StoredDeadLetter[]> {
  return bench.transport.admin.deadLetters(queue, { limit })
}

const dataOfAll = (letters: readonly StoredDeadLetter[]): readonly number[] =>
  letters.map((one) => dataOf(one) as number)

/** Events that nobody could handle, kept to be looked at. */
export const deadLetters: readonly Case[] = [
  {
    name: 'a dead letter keeps the event and its record, and leaves the queue',
    async run(bench) {
      const queue = await bench.queue()
      const session = await bench.session(queue)
      const event = bench.event(
        'placed',
        { orderId: '7' },
        { key: 'k', subject: 's', extensions: { tenant: 'acme' } },
      )
      await bench.publish(event)
      const record = recordOf('card declined', 12)
      await bench.settle(session, { of: await bench.receiveOne(session), as: 'dead', record })
      await bench.nothing(session, 'a dead event came again')
      const [letter, ...more] = await lettersOf(bench, queue)
      expect(more).toEqual([])
      expect(letter).toMatchObject({ id: event.id, type: event.type, key: 'k', record })
      expect(letter?.head).toMatchObject({ subject: 's', topic: bench.topic, extensions: { tenant: 'acme' } })
      expect(dataOf(letter!)).toEqual({ orderId: '7' })
      expect(await bench.transport.admin.deadLetter(queue, letter!.letter)).toEqual(letter)
      expect(await bench.other.admin.deadLetter(queue, 'no such letter')).toBe(undefined)
    },
  },
  {
    name: 'dead letters are listed in the order of death, page by page',
    async run(bench) {
      const queue = await bench.queue()
      await die(bench, await bench.session(queue), 25)
      const pages: (readonly StoredDeadLetter[])[] = []
      let after: string | undefined
      do {
        const page = await bench.other.admin.deadLetters(queue, { limit: 10, after })
        pages.push(page)
        after = page.at(-1)?.cursor
      } while (after !== undefined && pages.length < 10)
      expect(pages.map((page) => page.length)).toEqual([10, 10, 5, 0])
      expect(dataOfAll(pages.flat())).toEqual(numbers(25))
    },
  },
  {
    name: 'a dead letter is named by its event, a second one of the same event by something of its own',
    async run(bench) {
      const queue = await bench.queue()
      const session = await bench.session(queue)
      const event = bench.event('placed')
      for (let i = 0; i < 3; i++) {
        await bench.publish(i === 0 ? event : { ...event, data: `{"again":${i}}` })
        await bench.settle(session, {
          of: await bench.receiveOne(session),
          as: 'dead',
          record: recordOf('again'),
        })
      }
      const letters = await lettersOf(bench, queue)
      expect(letters.map(({ id }) => id)).toEqual([event.id, event.id, event.id])
      expect(letters[0]?.letter).toBe(event.id)
      expect(new Set(letters.map(({ letter }) => letter)).size).toBe(3)
      for (const one of letters)
        expect(await bench.transport.admin.deadLetter(queue, one.letter)).toEqual(one)
    },
  },
  {
    name: 'a page goes on behind a letter that is there no more',
    async run(bench) {
      const queue = await bench.queue()
      await die(bench, await bench.session(queue), 6)
      const first = await lettersOf(bench, queue, 3)
      await bench.transport.admin.purge(
        queue,
        first.map(({ letter }) => letter),
      )
      const rest = await bench.transport.admin.deadLetters(queue, { limit: 10, after: first.at(-1)!.cursor })
      expect(dataOfAll(rest)).toEqual([3, 4, 5])
    },
  },
  {
    name: 'one event may die in one queue and live in another',
    async run(bench) {
      const [sick, well] = [await bench.queue('sick'), await bench.queue('well')]
      await die(bench, await bench.session(sick), 1)
      await bench.handle(await bench.session(well), 1)
      expect(await lettersOf(bench, well)).toEqual([])
      expect(await lettersOf(bench, sick)).toHaveLength(1)
    },
  },
  {
    name: 'an event that died cannot be settled again',
    async run(bench) {
      const queue = await bench.queue()
      const session = await bench.session(queue)
      await bench.publish(bench.event('placed'))
      const of = await bench.receiveOne(session)
      const record = recordOf('no')
      await bench.settle(session, { of, as: 'dead', record })
      for (const as of ['dead', 'ack', 'retry', 'release'] as const)
        await session.settle([{ of, as, record }])
      await bench.nothing(session, 'a second settlement brought back a dead event')
      expect(await lettersOf(bench, queue)).toHaveLength(1)
    },
  },
  {
    name: 'redrive: back into its own queue, at attempt 1, with its history',
    async run(bench) {
      const [queue, other] = [await bench.queue(), await bench.queue('other')]
      const session = await bench.session(queue)
      const records = await die(bench, session, 3)
      const bystander = await bench.session(other)
      await bench.handle(bystander, 3)
      const letters = await lettersOf(bench, queue)
      expect(await bench.other.admin.redrive(queue, [letters[1]!.letter])).toBe(1)
      const again = await bench.receiveOne(session)
      expect(again).toMatchObject({ id: letters[1]!.id, attempt: 1, lapsed: false })
      const { firstFailedAt, history } = records[1]!
      expect(again.trail).toEqual({ firstFailedAt, history })
      await bench.settle(session, { of: again, as: 'ack' })
      expect(dataOfAll(await lettersOf(bench, queue))).toEqual([0, 2])
      await bench.nothing(bystander, 'a redrive reached another queue')
    },
  },
  {
    name: 'redrive: all of them, some of them, none of them, and ready wakes',
    async run(bench) {
      const queue = await bench.queue()
      const session = await bench.session(queue)
      await die(bench, session, 10)
      const { admin } = bench.transport
      expect(await admin.redrive(queue, [])).toBe(0)
      expect(await admin.redrive(queue, ['no such letter'])).toBe(0)
      const letters = await lettersOf(bench, queue)
      await bench.nothing(session, 'a redrive of nothing made an event')
      const waiting = session.ready(new AbortController().signal)
      expect(await admin.redrive(queue, [letters[3]!.letter, 'no such letter', letters[5]!.letter])).toBe(2)
      await bench.soon('ready after a redrive', waiting)
      expect(ascending(numbersOf(await bench.handle(session, 2)))).toEqual([3, 5])
      expect(await admin.redrive(queue, undefined)).toBe(8)
      expect(ascending(numbersOf(await bench.handle(session, 8)))).toEqual([0, 1, 2, 4, 6, 7, 8, 9])
      expect(await lettersOf(bench, queue)).toEqual([])
      expect(await admin.redrive(queue, undefined)).toBe(0)
    },
  },
  {
    name: 'redrive: an event that dies again is a dead letter again',
    async run(bench) {
      const queue = await bench.queue()
      const session = await bench.session(queue)
      await die(bench, session, 1)
      for (const message of ['again', 'and again']) {
        expect(await bench.transport.admin.redrive(queue, undefined)).toBe(1)
        await bench.settle(session, {
          of: await bench.receiveOne(session),
          as: 'dead',
          record: recordOf(message),
        })
        expect((await lettersOf(bench, queue)).map(({ record }) => record.error.message)).toEqual([
          recordOf(message).error.message,
        ])
      }
    },
  },
  {
    name: 'redrive with a replacement',
    async run(bench) {
      const queue = await bench.queue()
      const session = await bench.session(queue)
      await die(bench, session, 2)
      const [first] = await lettersOf(bench, queue)
      const replacement = bench.event(
        'numbered',
        { corrected: true },
        { id: first!.id, subject: 'corrected' },
      )
      expect(await bench.transport.admin.redrive(queue, [first!.letter], replacement)).toBe(1)
      const again = await bench.receiveOne(session)
      expect(again).toMatchObject({ id: first!.id, attempt: 1 })
      expect(dataOf(again)).toEqual({ corrected: true })
      expect(again.head.subject).toBe('corrected')
      expect(dataOfAll(await lettersOf(bench, queue))).toEqual([1])
    },
  },
  {
    name: 'redrive: a replacement is due by its own deliverAt',
    async run(bench) {
      const queue = await bench.queue()
      const session = await bench.session(queue)
      await die(bench, session, 1)
      const [letter] = await lettersOf(bench, queue)
      const deliverAt = new Date(bench.clock.now() + 150)
      await bench.transport.admin.redrive(queue, [letter!.letter], bench.event('numbered', 7, { deliverAt }))
      expect(dataOf(await bench.receiveOne(session))).toBe(7)
      expect(bench.clock.now(), 'a delayed replacement came early').toBeGreaterThanOrEqual(
        deliverAt.getTime() - clockSlack(bench),
      )
    },
  },
  {
    name: 'redrive: a replacement is for exactly one letter, else nothing is changed',
    async run(bench) {
      const queue = await bench.queue()
      const session = await bench.session(queue)
      await die(bench, session, 2)
      const both = (await lettersOf(bench, queue)).map(({ letter }) => letter)
      for (const letters of [undefined, [], both]) {
        const replaced = bench.transport.admin.redrive(queue, letters, bench.event('numbered', 7))
        await expect(replaced, `${letters?.length ?? 'all'} letters`).rejects.toMatchObject({
          code: 'INVALID_OPTION',
        })
      }
      await bench.nothing(session, 'a refused redrive made an event')
      expect(dataOfAll(await lettersOf(bench, queue))).toEqual([0, 1])
    },
  },
  {
    name: 'purge deletes those named, or all',
    async run(bench) {
      const queue = await bench.queue()
      const session = await bench.session(queue)
      await die(bench, session, 5)
      const letters = await lettersOf(bench, queue)
      expect(
        await bench.other.admin.purge(queue, [letters[0]!.letter, letters[4]!.letter, 'no such letter']),
      ).toBe(2)
      expect(dataOfAll(await lettersOf(bench, queue))).toEqual([1, 2, 3])
      expect(await bench.transport.admin.purge(queue, undefined)).toBe(3)
      expect(await lettersOf(bench, queue)).toEqual([])
      await bench.nothing(session, 'a purged event came again')
    },
  },
  {
    name: 'a payload of 1 MiB, or of maxBytes, survives death and redrive',
    async run(bench) {
      const queue = await bench.queue()
      const session = await bench.session(queue)
      const size = Math.min(bench.features.maxBytes, 1_048_576)
      const empty = bench.event('large', '')
      const event = bench.event('large', 'ü'.repeat(Math.floor((size - empty.size - 16) / 2)))
      expect(event.size).toBeLessThanOrEqual(size)
      await bench.publish(event)
      const received = await bench.receiveOne(session)
      // The largest record that the 8 KiB beside maxBytes are left for.
      const record = {
        ...recordOf('x'.repeat(500), 11),
        error: { name: 'Error', message: 'no', stack: 'x'.repeat(2_000) },
      }
      await bench.settle(session, { of: received, as: 'dead', record })
      const [letter] = await lettersOf(bench, queue)
      expect(letter?.record).toEqual(record)
      expect(await bench.transport.admin.redrive(queue, [letter!.letter])).toBe(1)
      const again = await bench.receiveOne(session)
      expect(Buffer.compare(bytesOf(again.data), bytesOf(event.data)), 'the data changed').toBe(0)
    },
  },
]
