import * as v from 'valibot'
import { expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { createEvent, defineEvents, millrace, unchecked } from '../src/index.ts'
import { testing } from '../src/testing/index.ts'

/*
 * Schemas of several libraries in one app: publish takes and sends the input, handlers get the output, and what does not
 * fit gets no further than the nearest end.
 */

const events = defineEvents({
  'zod.made': z.object({
    at: z.iso.datetime().transform((text) => new Date(text)),
    note: z.string().default('none'),
  }),
  'valibot.made': v.object({ amount: v.pipe(v.string(), v.transform(Number), v.minValue(1)) }),
  'free.made': unchecked<{ anything: number }>(),
})

function app() {
  const made = millrace({ transport: 'memory:', events, logger: false })
  made
    .queue('q')
    .on('zod.made', (event) => expectTypeOf(event.data).toEqualTypeOf<{ at: Date; note: string }>())
    .on('valibot.made', (event) => expectTypeOf(event.data).toEqualTypeOf<{ amount: number }>())
    .on('free.made', (event) => expectTypeOf(event.data).toEqualTypeOf<{ anything: number }>())
  return made
}

test('the input travels, the output is handled', async () => {
  await using t = await testing(app())
  await t.publish('zod.made', { at: '2026-01-02T03:04:05Z' })
  await t.publish('valibot.made', { amount: '12' })
  await t.publish('free.made', { anything: 1 })
  await t.idle()
  expect(t.published('zod.made')[0]?.data).toEqual({ at: '2026-01-02T03:04:05Z' })
  expect(t.published('valibot.made')[0]?.data).toEqual({ amount: '12' })
  expect(t.handled('q').map((event) => event.data)).toEqual([
    { at: new Date('2026-01-02T03:04:05Z'), note: 'none' },
    { amount: 12 },
    { anything: 1 },
  ])
})

test('what does not fit is refused where it is published', async () => {
  await using t = await testing(app())
  const refused = { code: 'DATA_INVALID' }
  await expect(t.publish('zod.made', { at: 'yesterday' })).rejects.toMatchObject(refused)
  await expect(t.publish('valibot.made', { amount: '0' })).rejects.toMatchObject(refused)
  await expect(t.publish('valibot.made', { amount: 12 as never })).rejects.toMatchObject(refused)
  await t.publish('free.made', 'unchecked means unchecked' as never)
  await t.idle()
  expect(t.handled('q').map((event) => event.data)).toEqual(['unchecked means unchecked'])
})

test('what somebody else published is a dead letter that says why', async () => {
  const tested = app()
  await using t = await testing(tested)
  await using foreign = millrace({ transport: tested.transport })
  await foreign.publish(createEvent('zod.made', { at: 'yesterday' }))
  await foreign.publish(createEvent('valibot.made', { amount: 12 }))
  await t.idle()
  expect(t.dead('q').map((letter) => [letter.event?.type, letter.error.code, letter.attempts])).toEqual([
    ['zod.made', 'DATA_INVALID', 1],
    ['valibot.made', 'DATA_INVALID', 1],
  ])
})
