import { expect, test } from 'vitest'
import { faultyTransport, type SessionFaults } from '../../test/faulty-transport.ts'
import { signal, turns } from '../../test/signals.ts'
import { MemoryTransport } from '../adapters/memory/memory-transport.ts'
import { manualClock } from '../clock/manual-clock.ts'
import { createEvent } from '../event/event.ts'
import { EventPublisher } from '../publish/publisher.ts'
import { Reporter } from '../report/reporter.ts'
import { EventReceiver } from './receiver.ts'

const lease = 10_000

/** The queues `one` and `other`; an event of `one` is with a holder whose lease runs out after 10 ms and who is never heard of again. */
async function withDeadHolder(faults: SessionFaults = {}) {
  const clock = manualClock()
  const real = new MemoryTransport({ clock })
  const transport = async () => faultyTransport({}, faults, real)
  const publisher = new EventPublisher({ transport, clock })
  const queue = (name: string) =>
    ({ name, subscriptions: [{ topic: name, pattern: '*' }], from: 'now', order: false }) as const
  await real.declare([queue('one'), queue('other')])
  await publisher.publish([createEvent('one.made', 0), ...[1, 2].map((n) => createEvent('other.made', n))])
  const [notice, onRevoke, onLost] = [() => undefined, () => undefined, () => undefined]
  const dead = await real.open('one', { lease: 10, order: false, clock, notice, onRevoke, onLost })
  await dead.exchange({ settle: [], max: 1 })
  const reporter = new Reporter(undefined)
  const receiver = new EventReceiver({ transport, publisher, catalog: undefined, clock, reporter })
  return { clock, receiver }
}

test('a stop starts nothing beside an event that runs alone because its holder died', async () => {
  const { clock, receiver } = await withDeadHolder()
  const started: unknown[] = []
  const [first, alone, goOn, end] = [signal(), signal(), signal(), signal()]
  receiver.on('one', 'one.made', async () => {
    started.push('alone')
    alone.give()
    await end.come
  })
  receiver.queue('other', { concurrency: 1 }).on('other.made', async ({ data }) => {
    started.push(data)
    first.give()
    await goOn.come
  })
  await receiver.start()
  await first.come
  await turns()
  clock.advance(11)
  await turns(10)
  // A handler that runs holds up the lone one for so long.
  clock.advance(3_000)
  await alone.come
  goOn.give()
  await turns()
  const stopped = receiver.stop()
  await turns()
  expect(started).toEqual([1, 'alone'])
  end.give()
  await stopped
  expect(started).toEqual([1, 'alone'])
})

test('an event that comes so late that its lease may have run out is not started, but asked for again', async () => {
  const log: string[] = []
  const { clock, receiver } = await withDeadHolder({
    async exchange(call, request) {
      const result = await call(request)
      for (const { lapsed } of result.received) {
        // As if the process had been stopped in the middle of it.
        if (lapsed && log.length === 0) clock.advance(lease)
        log.push(lapsed ? 'handed out to run alone' : 'handed out')
      }
      return result
    },
  })
  const started = signal()
  receiver.queue('one', { lease }).on('one.made', () => {
    log.push('started')
    started.give()
  })
  clock.advance(11)
  await receiver.start()
  await started.come
  await receiver.stop()
  expect(log).toEqual(['handed out to run alone', 'handed out to run alone', 'started'])
})
