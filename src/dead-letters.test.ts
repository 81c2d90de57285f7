import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { signal, type Signal } from '../test/signals.ts'
import { memory } from './adapters/memory/index.ts'
import { deadLettersOf } from './dead-letters.ts'
import { createEvent, millrace, type App, type DeadLetter } from './index.ts'

const count = 250
let app: App
let broken: boolean
let again: Signal<unknown>

beforeEach(async () => {
  app = millrace({ transport: memory(), logger: false })
  broken = true
  again = signal()
  const all = signal()
  let dead = 0
  app.onDeadLetter(() => void (++dead === count && all.give()))
  app.queue('q', { breaker: false, concurrency: 1, retry: { attempts: 1 } }).on('a.b', (event) => {
    if (broken) throw new Error('no')
    again.give(event.data)
  })
  await app.start()
  await app.publish(Array.from({ length: count }, (_, i) => createEvent('a.b', i, { id: `e${i}` })))
  await all.come
})
afterEach(() => app.stop())

async function listed(options?: { limit?: number; after?: string }, queue = 'q'): Promise<string[]> {
  const ids: string[] = []
  for await (const letter of app.deadLetters(queue).list(options)) ids.push(letter.id)
  return ids
}

const ids = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => `e${from + i}`)

describe('list', () => {
  test.each<[{ limit?: number; after?: string } | undefined, string[]]>([
    [undefined, ids(0, count)],
    [{ limit: 1 }, ids(0, 1)],
    [{ limit: 100 }, ids(0, 100)],
    [{ limit: 150 }, ids(0, 150)],
    [{ after: 'e199' }, ids(200, count)],
    [{ after: 'e99', limit: 101 }, ids(100, 201)],
    [{ after: 'e249' }, []],
  ])('%j', async (options, expected) => {
    expect(await listed(options)).toEqual(expected)
  })

  test('of an unknown queue rejects', async () => {
    await expect(listed(undefined, 'nope')).rejects.toMatchObject({
      code: 'UNKNOWN_QUEUE',
    })
  })

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '5', null])(
    'a limit of %j is refused',
    async (limit) => {
      await expect(listed({ limit: limit as number })).rejects.toMatchObject({
        code: 'INVALID_OPTION',
        message: expect.stringContaining('`limit`'),
      })
    },
  )
})

test.each([undefined, null, 5, {}])('a queue name of %j is no queue, in any transport', async (name) => {
  const letters = deadLettersOf(name as unknown as string, {
    transport: () => expect.unreachable('the transport is not asked'),
    redriven: () => expect.unreachable('nothing is redriven'),
  })
  for (const call of [
    () => letters.list()[Symbol.asyncIterator]().next(),
    () => letters.get('e1'),
    () => letters.redrive(),
    () => letters.redrive('e1', { replace: createEvent('a.b', 1) }),
    () => letters.purge(),
  ]) {
    await expect(call()).rejects.toMatchObject({ code: 'UNKNOWN_QUEUE' })
  }
})

test('get gives all there is to know', async () => {
  const letter = (await app.deadLetters('q').get('e7')) as DeadLetter
  expect(letter).toMatchObject({
    id: 'e7',
    queue: 'q',
    event: { id: 'e7', type: 'a.b', data: 7 },
    raw: Buffer.from('7'),
    error: { name: 'Error', message: 'no', stack: expect.stringContaining('dead-letters.test.ts') },
    attempts: 1,
    history: [{ at: letter.firstFailedAt, message: 'no' }],
  })
  expect(letter.deadAt.getTime()).toBeGreaterThanOrEqual(letter.firstFailedAt.getTime())
  expect(await app.deadLetters('q').get('e999')).toBeUndefined()
})

test('redrive and purge: one, several, all', async () => {
  const letters = app.deadLetters('q')
  expect(await letters.purge('e0')).toBe(1)
  expect(await letters.purge(['e1', 'e2', 'e999'])).toBe(2)
  expect(await letters.purge([])).toBe(0)
  expect(await listed({ limit: 1 })).toEqual(['e3'])
  broken = false
  expect(await letters.redrive('e3')).toBe(1)
  expect(await letters.redrive(['e4', 'e0'])).toBe(1)
  expect(await letters.purge()).toBe(count - 5)
  expect(await listed()).toEqual([])
})

test('a replacement takes the place of one letter', async () => {
  const letters = app.deadLetters('q')
  const replace = createEvent('a.b', 'better')
  await expect(letters.redrive(undefined, { replace })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  await expect(letters.redrive(['e1', 'e2'], { replace })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
  await expect(letters.redrive('e999', { replace })).rejects.toMatchObject({ code: 'DEAD_LETTER_NOT_FOUND' })
  broken = false
  expect(await letters.redrive('e1', { replace })).toBe(1)
  expect(await again.come).toBe('better')
})
