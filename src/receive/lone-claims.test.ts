import { expect, test } from 'vitest'
import { signal, turns } from '../../test/signals.ts'
import { MemoryTransport } from '../adapters/memory/memory-transport.ts'
import { manualClock } from '../clock/manual-clock.ts'
import { createEvent } from '../event/event.ts'
import { EventPublisher } from '../publish/publisher.ts'
import { Reporter } from '../report/reporter.ts'
import { EventReceiver } from './receiver.ts'

test('a stop starts nothing beside an event that runs alone because its holder died', async () => {
  const clock = manualClock()
  const real = new MemoryTransport({ clock })
  const transport = async (): Promise<typeof real> => real
  const publisher = new EventPublisher({ transport, clock })
  const receiver = new EventReceiver({
    transport,
    publisher,
    catalog: undefined,
    clock,
    reporter: new Reporter(undefined),
  })
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
  const queue = (name: string) =>
    ({ name, subscriptions: [{ topic: name, pattern: '*' }], from: 'now', order: false }) as const
  await real.declare([queue('one'), queue('other')])
  await publisher.publish([createEvent('one.made', 0), ...[1, 2].map((n) => createEvent('other.made', n))])
  const [notice, onRevoke, onLost] = [() => undefined, () => undefined, () => undefined]
  const dead = await real.open('one', { lease: 10, order: false, clock, notice, onRevoke, onLost })
  await dead.exchange({ settle: [], max: 1 })

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
