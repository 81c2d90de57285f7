import { expect, test } from 'vitest'
import { settledOf } from './settled.ts'
import type { Received, Settlement } from './transport.ts'

const settlement = (as: Settlement['as'], key?: string): Settlement => ({ of: { key } as Received, as })

test.each([
  [[], { handled: 0, failed: 0, givenBack: false, keyed: false }],
  [[settlement('ack'), settlement('ack', 'k')], { handled: 2, failed: 0, givenBack: false, keyed: true }],
  [[settlement('dead')], { handled: 0, failed: 1, givenBack: false, keyed: false }],
  [[settlement('retry')], { handled: 0, failed: 1, givenBack: true, keyed: false }],
  [[settlement('release')], { handled: 0, failed: 0, givenBack: true, keyed: false }],
])('all done', (list, settled) => {
  expect(settledOf(list, undefined)).toEqual(settled)
})

test('what was not done counts for nothing', () => {
  const list = [settlement('ack', 'k'), settlement('retry', 'k'), settlement('ack')]
  expect(settledOf(list, ['gone', 'lost', 'done'])).toEqual({
    handled: 1,
    failed: 0,
    givenBack: false,
    keyed: false,
  })
})
