import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { applySchema, defineEvents, runtimeOf, unchecked } from './catalog.ts'
import { createEvent, EventRecord } from './event.ts'
import { encodeEvent, travelled } from './outgoing.ts'

const coded = (code: string) => expect.objectContaining({ code })
const events = defineEvents({
  'zod.made': z.object({ at: z.coerce.date(), n: z.number() }),
  'valibot.made': v.object({ n: v.pipe(v.string(), v.transform(Number)) }),
  'async.made': z
    .object({ n: z.number() })
    .refine(async ({ n }) => n < 100)
    .transform(async ({ n }) => ({ n, doubled: 2 * n })),
  'free.made': unchecked<{ any: string }>(),
})
const catalog = runtimeOf(events)
const arrived = (type: string, data: unknown): EventRecord => travelled(encodeEvent(createEvent(type, data)))

test('knows its types and their topics', () => {
  expect(events.types).toEqual(['zod.made', 'valibot.made', 'async.made', 'free.made'])
  expect(catalog.topicOf('zod.made')).toBe('zod')
  const named = defineEvents({ 'com.acme.x': unchecked<1>() }, { topic: (type) => type.split('.')[1] ?? '' })
  expect(runtimeOf(named).topicOf('com.acme.x')).toBe('acme')
  expect(named.create('com.acme.x', 1).topic).toBe('acme')
})

test.each<[string, () => unknown, string]>([
  ['a reverse-DNS type', () => defineEvents({ 'com.acme.order': unchecked<1>() }), 'TOPIC_AMBIGUOUS'],
  ['a type with a star', () => defineEvents({ 'a.*': unchecked<1>() }), 'INVALID_EVENT'],
  ['a topic that is no name', () => defineEvents({ a: unchecked<1>() }, { topic: () => '' }), 'INVALID_NAME'],
  ['something that is no schema', () => defineEvents({ a: {} as never }), 'INVALID_OPTION'],
  ['nothing as a schema', () => defineEvents({ a: undefined as never }), 'INVALID_OPTION'],
  ['an unknown type', () => events.create('zod.mad' as 'zod.made', { at: 1, n: 1 }), 'UNKNOWN_TYPE'],
  ['another catalog', () => runtimeOf({ types: [] }), 'INVALID_OPTION'],
])('refuses %s', (_name, wrong, code) => {
  expect(wrong).toThrowError(coded(code))
})

test('a message about an unknown type names some of the known', () => {
  const many = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`a.t${i}`, unchecked<1>()]))
  expect(() => runtimeOf(defineEvents(many)).parse('b', 1)).toThrowError(/It has: a\.t0, .*a\.t7 and 2 more$/)
})

test.each([
  ['zod.made', { at: '2020-01-01', n: 'x' }, /'zod\.made' does not fit its schema: n: /],
  ['valibot.made', { n: 1 }, /'valibot\.made' does not fit its schema: n: /],
  ['valibot.made', 'x', /'valibot\.made' does not fit its schema: Invalid type/],
])('data of %s that does not fit is refused with its issues', (type, data, message) => {
  expect(() => catalog.parse(type, data)).toThrowError(
    expect.objectContaining({
      code: 'DATA_INVALID',
      message: expect.stringMatching(message),
      cause: expect.any(Array),
    }),
  )
})

describe('applySchema', () => {
  test("puts the schema's output in place of the data, which still travels as it came", () => {
    const event = arrived('zod.made', { n: 1, at: '2020-01-01' })
    expect(applySchema(catalog, event)).toBeUndefined()
    expect(event.data).toEqual({ at: new Date('2020-01-01'), n: 1 })
    expect(encodeEvent(event).data).toBe('{"n":1,"at":"2020-01-01"}')
  })

  test('of another library', () => {
    const event = arrived('valibot.made', { n: '7' })
    void applySchema(catalog, event)
    expect(event.data).toEqual({ n: 7 })
  })

  test('that is asynchronous', async () => {
    const event = arrived('async.made', { n: 2 })
    await applySchema(catalog, event)
    expect(event.data).toEqual({ n: 2, doubled: 4 })
    expect(encodeEvent(event).data).toBe('{"n":2}')
    ;(event.data as { n: number }).n = 3
    expect(encodeEvent(event).data).toBe('{"n":3,"doubled":4}')
  })

  test('that is asynchronous and refuses', async () => {
    await expect(applySchema(catalog, arrived('async.made', { n: 100 }))).rejects.toThrowError(
      coded('DATA_INVALID'),
    )
  })

  test('does not take its own output for input when an event comes a second time', () => {
    const event = arrived('valibot.made', { n: '7' })
    void applySchema(catalog, event)
    void applySchema(catalog, event)
    expect(event.data).toEqual({ n: 7 })
  })

  test('checks nothing for unchecked', () => {
    const event = arrived('free.made', 5)
    void applySchema(catalog, event)
    expect(event.data).toBe(5)
  })
})
