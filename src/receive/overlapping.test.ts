import { expect, onTestFinished, test } from 'vitest'
import { beside, faultyTransport } from '../../test/faulty-transport.ts'
import { signal, turns } from '../../test/signals.ts'
import { millrace } from '../app.ts'
import type { Session, Settlement } from '../contract/transport.ts'

/** The session with exchanges that may overlap. */
const overlapping = (session: Session): Session =>
  new Proxy(beside(session, {}), {
    get: (target, name) => (name === 'pulls' ? 2 : (Reflect.get(target, name) as unknown)),
  })

test('exchanges that overlap ask for no more than the prefetch together', async () => {
  const asked: number[] = []
  const letGo = signal()
  const transport = faultyTransport(
    { open: async (call, ...args) => overlapping(await call(...args)) },
    {
      async exchange(call, request) {
        asked.push(request.max)
        await letGo.come
        return call(request)
      },
    },
  )
  const app = millrace({ transport, logger: false })
  onTestFinished(() => app.stop({ timeout: 0 }))
  app.queue('q', { concurrency: 10, prefetch: 10 }).on('a.b', () => {})
  await app.start()
  await turns()
  app.resume('q') // lets it look whether there is room for more
  await turns()
  expect(asked).toEqual([10])
  letGo.give()
})

test('while one exchange settles, what was handled meanwhile is settled by another', async () => {
  const settled: string[] = []
  const letGo = signal()
  const note = (list: readonly Settlement[]): Promise<void> | undefined => {
    if (list.length === 0) return undefined
    settled.push(list.map(({ of }) => of.id).join())
    return letGo.come
  }
  const transport = faultyTransport(
    { open: async (call, ...args) => overlapping(await call(...args)) },
    {
      async exchange(call, request) {
        await note(request.settle)
        return call(request)
      },
      async settle(call, list) {
        await note(list)
        return call(list)
      },
    },
  )
  const app = millrace({ transport, logger: false })
  onTestFinished(() => app.stop({ timeout: 0 }))
  const second = signal()
  let handled = 0
  app.queue('q', { concurrency: 2, prefetch: 2 }).on('a.b', async () => {
    if (++handled === 2) await second.come
  })
  for (let n = 0; n < 4; n++) await app.publish('a.b', n, { id: String(n) })
  await app.start()
  await turns()
  expect(settled).toEqual(['0'])
  second.give()
  await turns()
  expect(settled).toEqual(['0', '1'])
  letGo.give()
})
