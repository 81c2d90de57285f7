import { expect, test } from 'vitest'
import { beside, faultyTransport } from '../../test/faulty-transport.ts'
import { signal, turns } from '../../test/signals.ts'
import { MemoryTransport } from '../adapters/memory/memory-transport.ts'
import { manualClock } from '../clock/manual-clock.ts'
import { createEvent } from '../event/event.ts'
import { EventPublisher } from '../publish/publisher.ts'
import { Reporter } from '../report/reporter.ts'
import { EventReceiver } from './receiver.ts'

test('nothing starts later than the system surely leaves it to the session, unless its lease was extended', async () => {
  const clock = manualClock()
  let certainUntil = clock.monotonic() + 100
  const log: unknown[] = []
  const faulty = faultyTransport(
    {
      open: async (call, ...args) =>
        new Proxy(beside(await call(...args), {}), {
          get: (target, name): unknown =>
            name === 'certainUntil' ? certainUntil : Reflect.get(target, name),
        }),
    },
    {
      extend(call, list, ms) {
        log.push('extended')
        certainUntil = Infinity
        return call(list, ms)
      },
    },
    new MemoryTransport({ clock }),
  )
  const transport = async () => faulty
  const publisher = new EventPublisher({ transport, clock })
  const reporter = new Reporter(undefined)
  const receiver = new EventReceiver({ transport, publisher, catalog: undefined, clock, reporter })
  const [first, goOn, last] = [signal(), signal(), signal()]
  receiver.queue('q', { concurrency: 1, lease: 10_000 }).on('a.b', async ({ data }) => {
    log.push(data)
    if (data !== 1) return last.give()
    first.give()
    await goOn.come
  })
  await receiver.start()
  await publisher.publish([1, 2].map((n) => createEvent('a.b', n)))
  await first.come
  await turns()
  clock.advance(100)
  goOn.give()
  await last.come
  await receiver.stop()
  expect(log).toEqual([1, 'extended', 2])
})
