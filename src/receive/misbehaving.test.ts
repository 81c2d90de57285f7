import { describe, expect, test } from 'vitest'
import { never, type SessionFaults } from '../../test/faulty-transport.ts'
import { receiving } from '../../test/receiving.ts'
import { signal, turns } from '../../test/signals.ts'
import { within } from '../clock/within.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import { createEvent } from '../event/event.ts'

const nothing = (): void => undefined

describe('a system that misbehaves', () => {
  test('an exchange that fails is tried again, and what it was to settle is settled', async () => {
    let failures = 3
    const { receiver, publisher, log, transport } = receiving(
      {},
      {
        exchange(call, request) {
          if (request.settle.length > 0 && failures-- > 0) return Promise.reject(new Error('cut'))
          return call(request)
        },
        settle(call, list) {
          return failures-- > 0 ? Promise.reject(new Error('cut')) : call(list)
        },
      },
    )
    receiver.queue('a', { prefetch: 1 }).on('x.y', nothing)
    await receiver.start()
    await publisher.publish('x.y', 1)
    await turns(10)
    await receiver.stop({ timeout: 2_000 })
    expect(await transport.admin.queues()).toMatchObject([{ name: 'a', depth: 0, inFlight: 0, delayed: 0 }])
    expect(failures).toBeLessThanOrEqual(0)
    expect(log).toEqual([
      'warn millrace a: An exchange with the transport failed; trying again: cut [CONNECTION_LOST]',
      expect.stringMatching(/^warn millrace a: The transport answers again after .* \[CONNECTION_LOST\]$/),
    ])
  })

  test('settlements that it refuses again and again are one line, and one when they are taken', async () => {
    const [full, handled] = [new MillraceError('STORE_FULL', 'full'), signal()]
    let refusals = 0
    const { receiver, publisher, log } = receiving(
      {},
      { settle: async (call, list) => (refusals++ < 3 ? list.map(() => full) : call(list)) },
    )
    receiver.on('a', 'x.y', ({ data }) => void (data === 3 && handled.give()))
    await receiver.start()
    await publisher.publish([1, 2, 3].map((n) => createEvent('x.y', n)))
    await handled.come
    await receiver.stop()
    expect(log).toEqual([
      expect.stringMatching(/^error millrace a x\.y .*: could not be settled; .*: full \[STORE_FULL\]$/),
      expect.stringMatching(/^warn millrace a: All .* is settled after .* \[STORE_FULL\]$/),
    ])
  })

  test('a ready that rejects is an outage, not the end of consuming', async () => {
    let failures = 1
    const handled = signal()
    const { receiver, publisher } = receiving(
      {},
      { ready: (call, stop) => (failures-- > 0 ? Promise.reject(new Error('cut')) : call(stop)) },
    )
    receiver.on('a', 'x.y', () => handled.give())
    await receiver.start()
    await publisher.publish('x.y', 1)
    await handled.come
  })

  test('claims of lapsed events that bring nothing are no hot loop', async () => {
    let asked = 0
    const { receiver } = receiving(
      {},
      {
        async exchange(call, request) {
          if ((request.lapsed ?? 0) > 0) asked++
          return { ...(await call(request)), lapsed: true }
        },
      },
    )
    receiver.on('a', 'x.y', nothing)
    await receiver.start()
    await turns(50)
    expect(asked).toBe(1)
  })

  test.each(['exchange', 'settle', 'quiesce', 'close'] as const)(
    'a stop is bounded though %s never answers',
    async (step) => {
      const reached = signal()
      let stuck = false
      const hang: SessionFaults = {
        [step]: (call: (...args: never[]) => never, ...args: never[]) => (stuck ? never() : call(...args)),
      }
      const { receiver, publisher } = receiving({}, hang)
      const end = signal()
      receiver.queue('a', { concurrency: 1, prefetch: 1 }).on('x.y', async () => {
        reached.give()
        await end.come
      })
      await receiver.start()
      await publisher.publish('x.y', 1)
      await reached.come
      stuck = true
      end.give()
      await turns()
      expect(await within(receiver.stop({ timeout: 50 }), 2_050)).toBe(true)
    },
  )

  test.each(['quiesce', 'close'] as const)('a stop goes on though %s fails', async (step) => {
    const { receiver, log } = receiving({}, { [step]: () => Promise.reject(new Error('cut')) })
    receiver.on('a', 'x.y', nothing)
    await receiver.start()
    await receiver.stop()
    expect(log).toEqual(['warn millrace a: The transport failed at the stop: cut [CONNECTION_LOST]'])
  })
})
