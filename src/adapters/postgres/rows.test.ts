import { beforeEach, describe, expect, test } from 'vitest'
import {
  event,
  handleAll,
  handOn,
  newSchema,
  open,
  sessionOn,
  spec,
  type Hand,
} from '../../../test/postgres/database.ts'
import { describeWithServer } from '../../../test/servers/describe-with-server.ts'
import type { DeadLetterRecord } from '../../contract/dead-letter.ts'
import type { Transport } from '../../contract/transport.ts'

const record: DeadLetterRecord = {
  error: { name: 'Error', message: 'no' },
  attempts: 1,
  firstFailedAt: 1,
  deadAt: 2,
  history: [{ at: 1, message: 'no' }],
}

await describeWithServer('postgres', (url) => {
  let schema: string
  let transport: Transport
  let hand: Hand

  beforeEach(async () => {
    schema = newSchema()
    transport = open(url, schema)
    hand = handOn(url)
    await transport.declare([spec('mail')])
  })

  /** Publishes and lets all of it die. */
  async function bury(...ids: readonly string[]): Promise<void> {
    await transport.publish(ids.map((id) => event(id, { id })))
    const session = await sessionOn(transport, 'mail')
    const { received } = await session.exchange({ settle: [], max: 1_000 })
    await session.settle(received.map((of) => ({ of, as: 'dead', record })))
    await session.close()
  }

  async function lettersOf(): Promise<readonly string[]> {
    return (await transport.admin.deadLetters('mail', { limit: 1_000 })).map(({ letter }) => letter)
  }

  describe('a row that somebody has spoiled by hand', () => {
    test.each([
      "head = '{'",
      "head = ''",
      'data = NULL',
      "trail = '['",
      'failures = 2147483647',
      "due = '-infinity'",
      "lease = '1900-01-01', claim = -1",
      "lease = '9999-01-01', claim = NULL",
      "due = '290000-01-01'",
      'slot = 99',
      "type = ''",
      "bytes = '\\x00', data = NULL",
    ])('delays nobody: %s', async (change) => {
      await transport.publish(['a', 'spoiled', 'b'].map((id) => event(id, { id })))
      await hand.query(`UPDATE ${schema}.messages SET ${change} WHERE id = 'spoiled'`)
      const taken = (await handleAll(transport, 'mail')).map(({ id }) => id)
      expect(taken.filter((id) => id !== 'spoiled')).toEqual(['a', 'b'])
      expect(await transport.admin.queues()).toMatchObject([{ name: 'mail' }])
    })

    test.each([
      'failures = -1',
      "due = 'infinity'",
      "lease = 'infinity'",
      "lease = '-infinity'",
      "taken = 'infinity'",
      'slot = NULL',
    ])('cannot be so: %s', async (change) => {
      await transport.publish([event(1)])
      await expect(hand.query(`UPDATE ${schema}.messages SET ${change}`)).rejects.toThrow(/constraint/)
    })

    test.each(["head = '{'", "record = '['", "record = ''", 'data = NULL'])(
      'hides no other dead letter: %s',
      async (change) => {
        await bury('a', 'spoiled', 'b')
        await hand.query(`UPDATE ${schema}.dead SET ${change} WHERE id = 'spoiled'`)
        expect(await lettersOf()).toEqual(['a', 'spoiled', 'b'])
        expect(await transport.admin.redrive('mail', undefined)).toBe(3)
        expect(await handleAll(transport, 'mail')).toHaveLength(3)
      },
    )
  })

  test('a letter stays where its event is in the queue again, and goes back when that is handled', async () => {
    await bury('a', 'b')
    await bury('a')
    await transport.publish([event('new', { id: 'b' })])
    const [, , again] = await lettersOf()
    expect(await lettersOf()).toEqual(['a', 'b', expect.stringMatching(/^a~./)])
    expect(await transport.admin.redrive('mail', undefined)).toBe(1)
    expect(await lettersOf()).toEqual(['b', again])
    expect((await handleAll(transport, 'mail')).map(({ data }) => data)).toEqual(['"new"', '"a"'])
    expect(await transport.admin.redrive('mail', [again!, 'b'])).toBe(2)
    expect(await lettersOf()).toEqual([])
  })

  test('a replacement whose event is in the queue already takes no place, and the letter stays', async () => {
    await bury('a')
    await transport.publish([event('there', { id: 'b' })])
    expect(await transport.admin.redrive('mail', ['a'], event('replaced', { id: 'b' }))).toBe(0)
    expect(await lettersOf()).toEqual(['a'])
    expect(await handleAll(transport, 'mail')).toHaveLength(1)
  })

  test('many letters are moved, and many rows removed, some at a time', async () => {
    const many = 1_700
    await hand.query(
      `INSERT INTO ${schema}.dead (queue, name, id, type, head, data, record)
       SELECT q.id, i, i, 'order.placed', '{"source":"/","topic":"order","time":0}', i, '[' FROM ${schema}.queues q, generate_series(1, ${many}) i`,
    )
    expect(await transport.admin.redrive('mail', undefined)).toBe(many)
    const session = await sessionOn(transport, 'mail')
    const { received } = await session.exchange({ settle: [], max: 3 })
    expect(received.map(({ id }) => id)).toEqual(['1', '2', '3'])
    await session.close()
    await bury('last')
    await hand.query(
      `INSERT INTO ${schema}.messages (queue, id, slot, type, head) SELECT queue, 'x' || id, -1, type, head FROM ${schema}.dead`,
    )
    const [{ count }] = (await hand.query<{ count: number }>(
      `SELECT (SELECT count(*) FROM ${schema}.messages) + (SELECT count(*) FROM ${schema}.dead) AS count`,
    )) as [{ count: number }]
    expect(await transport.admin.removeQueue('mail')).toBe(Number(count))
    for (const table of ['messages', 'dead', 'slots', 'sessions', 'rates', 'subscriptions', 'queues']) {
      expect(await hand.query(`SELECT * FROM ${schema}.${table}`), table).toEqual([])
    }
  })

  test('a redrive and a purge at the same time do each letter once', async () => {
    const ids = Array.from({ length: 60 }, (_, i) => `e${i}`)
    await bury(...ids)
    const other = open(url, schema)
    const counts = await Promise.all([
      transport.admin.redrive('mail', undefined),
      other.admin.purge('mail', ids.toReversed()),
      other.admin.redrive('mail', ids),
    ])
    expect(counts.reduce((sum, count) => sum + count)).toBe(ids.length)
    expect(await handleAll(transport, 'mail')).toHaveLength(counts[0] + counts[2])
    expect(await lettersOf()).toEqual([])
  })
})
