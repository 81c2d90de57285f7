import { expect } from 'vitest'
import type { Features } from '../contract/features.ts'
import type { Received, Session } from '../contract/transport.ts'
import { ascending, numbers, numbersOf, shortLease, type Bench, type Case } from './harness.ts'

const unless = ({ transactions }: Features): string | undefined =>
  transactions === true ? undefined : `features.transactions is ${transactions}`

/** A queue that is handled in transactions, and one that gets what its handlers publish. */
async function twoQueues(
  bench: Bench,
  lease?: number,
): Promise<{ readonly name: string; readonly source: Session; readonly target: Session }> {
  const subscribed = (type: string) => ({
    subscriptions: [{ topic: bench.topic, pattern: bench.type(type) }],
  })
  const name = await bench.queue('source', subscribed('placed'))
  const target = await bench.session(await bench.queue('target', subscribed('paid')))
  const source = await bench.session(name, { ...(lease !== undefined && { lease }), transactions: 4 })
  return { name, source, target }
}

/** What a handler does: it publishes in the transaction. */
function pay(bench: Bench, data: unknown = {}): (transaction: unknown) => Promise<void> {
  return (transaction) => bench.transport.publish([bench.event('paid', data)], { transaction })
}

/** Handling in a transaction: what the handler does and the acknowledgement are one commit. */
export const transacting: readonly Case[] = [
  {
    name: 'transact: what is published in it is there with the acknowledgement, and not before',
    unless,
    async run(bench) {
      const { source, target } = await twoQueues(bench)
      await bench.publish(bench.event('placed'))
      const of = await bench.receiveOne(source)
      await source.transact!(of, async (transaction) => {
        await pay(bench)(transaction)
        await bench.nothing(target, 'an event came before its transaction was committed')
      })
      await bench.handle(target, 1, 'what was published in a transaction')
      expect(await source.settle([{ of, as: 'ack' }])).toEqual(['gone'])
      await bench.nothing(source, 'an event that was handled in a transaction came again')
    },
  },
  {
    name: 'transact: if the handler fails, nothing of it is there and the event is held as before',
    unless,
    async run(bench) {
      const { source, target } = await twoQueues(bench)
      await bench.publish(bench.event('placed'))
      const of = await bench.receiveOne(source)
      const failed = source.transact!(of, async (transaction) => {
        await pay(bench)(transaction)
        throw new RangeError('declined')
      })
      await expect(failed).rejects.toThrowError(new RangeError('declined'))
      await bench.nothing(target, 'an event came though its transaction was rolled back')
      await bench.settle(source, { of, as: 'retry' })
      const again = await bench.receiveOne(source)
      expect(again.attempt).toBe(2)
      await source.transact!(again, pay(bench))
      await bench.handle(target, 1)
    },
  },
  {
    name: 'transact: whose lease went elsewhere commits nothing',
    unless,
    async run(bench) {
      const { name, source, target } = await twoQueues(bench, shortLease)
      await bench.publish(bench.event('placed'))
      const of = await bench.receiveOne(source)
      const other = await bench.session(name, { on: bench.other })
      let taken: Received | undefined
      const late = source.transact!(of, async (transaction) => {
        await pay(bench)(transaction)
        await bench.pass(2 * shortLease)
        taken = await bench.receiveOne(other, 'lapsed')
      })
      await expect(late).rejects.toMatchObject({ code: 'LEASE_LOST' })
      await bench.nothing(target, 'what was published under a lost lease came')
      await bench.settle(other, { of: taken!, as: 'ack' })
    },
  },
  {
    name: 'transact: leases are extended beside it',
    unless,
    async run(bench) {
      const { name, source, target } = await twoQueues(bench, shortLease)
      await bench.publish(bench.event('placed'))
      const of = await bench.receiveOne(source)
      const other = await bench.session(name, { on: bench.other })
      await source.transact!(of, async (transaction) => {
        await pay(bench)(transaction)
        expect(await source.extend([of], 30_000)).toEqual(['ok'])
        await bench.pass(2 * shortLease)
        const { received } = await other.exchange({ settle: [], max: 1, lapsed: 1 })
        expect(received, 'an event was handed out though its lease was extended').toEqual([])
      })
      await bench.handle(target, 1)
    },
  },
  {
    name: 'transact: several at a time, none in the transaction of another',
    unless,
    async run(bench) {
      const { source, target } = await twoQueues(bench)
      const many = 4
      await bench.publish(...numbers(many).map((n) => bench.event('placed', n)))
      const list = await bench.receive(source, many)
      let inside = 0
      const all = Promise.withResolvers<void>()
      const results = await Promise.allSettled(
        list.map((of, n) =>
          source.transact!(of, async (transaction) => {
            await pay(bench, n)(transaction)
            if (++inside === many) all.resolve()
            await bench.soon('all transactions to be under way', all.promise)
            if (n % 2 === 1) throw new Error('declined')
          }),
        ),
      )
      expect(results.map(({ status }) => status)).toEqual(
        list.map((_, n) => (n % 2 ? 'rejected' : 'fulfilled')),
      )
      expect(ascending(numbersOf(await bench.handle(target, 2)))).toEqual([0, 2])
      await bench.nothing(target, 'an event came though its transaction was rolled back')
    },
  },
  {
    name: 'as an outbox: what a queue has handled in a transaction is not handled again, what failed is',
    unless,
    async run(bench) {
      const target = await bench.session(await bench.queue())
      const [queue, other] = [bench.name('elsewhere'), bench.name('elsewhere')]
      const failed = bench.transport.transact!(queue, 'id', async (transaction) => {
        await pay(bench, 0)(transaction)
        throw new RangeError('declined')
      })
      await expect(failed).rejects.toThrowError(new RangeError('declined'))
      for (const n of [1, 2]) await bench.transport.transact!(queue, 'id', pay(bench, n))
      await bench.other.transact!(queue, 'id', pay(bench, 3))
      await bench.transport.transact!(other, 'id', pay(bench, 4))
      await bench.transport.transact!(queue, 'another id', pay(bench, 5))
      expect(ascending(numbersOf(await bench.handle(target, 3)))).toEqual([1, 4, 5])
      await bench.nothing(target, 'a handler ran again for an event that was handled in a transaction')
    },
  },
  {
    name: 'as an outbox: of two that handle one event at once, one commits',
    unless,
    async run(bench) {
      const target = await bench.session(await bench.queue())
      const queue = bench.name('elsewhere')
      await Promise.all(
        [bench.transport, bench.other].map((on, n) => on.transact!(queue, 'id', pay(bench, n))),
      )
      await bench.handle(target, 1)
      await bench.nothing(target, 'two handled one event')
    },
  },
]
