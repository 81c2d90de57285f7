import { expect, test } from 'vitest'
import { held } from '../../test/held.ts'
import { manualClock } from '../clock/manual-clock.ts'
import { Bag } from '../contract/bag.ts'
import { Deadlines } from './deadlines.ts'
import type { Held } from './held.ts'

function watching(expire: (event: Held, deadlines: Deadlines) => void = () => undefined) {
  const clock = manualClock()
  const expired: string[] = []
  const all = new Bag<Held>()
  const deadlines: Deadlines = new Deadlines(clock, all, (event) => {
    expired.push(`${event.received.id} at ${clock.monotonic()}`)
    expire(event, deadlines)
  })
  const add = (id: string, deadline: number): Held => {
    const event = held(id)
    event.deadline = deadline
    all.add(event)
    deadlines.start(event)
    return event
  }
  return { clock, expired, deadlines, add }
}

const end = (event: Held, deadlines: Deadlines): void => void deadlines.end(event)

test('each expires at its time, whatever the order in which they came', () => {
  const { clock, expired, add } = watching(end)
  add('late', 300)
  add('early', 100)
  add('middle', 200)
  clock.advance(1_000)
  expect(expired).toEqual(['early at 100', 'middle at 200', 'late at 300'])
  expect(clock.nextIn).toBeUndefined()
})

test('what has ended does not expire', () => {
  const { clock, expired, deadlines, add } = watching(end)
  const event = add('1', 100)
  expect([deadlines.end(event), deadlines.end(event), deadlines.running]).toEqual([true, false, 0])
  clock.advance(1_000)
  expect(expired).toEqual([])
})

test('a deadline that moves back while it is watched counts at its new time', () => {
  const { clock, expired, add } = watching(end)
  add('1', 100).deadline = 250
  clock.advance(1_000)
  expect(expired).toEqual(['1 at 250'])
})

test('a deadline that was none, and is one now', () => {
  const { clock, expired, deadlines, add } = watching(end)
  const event = add('1', 100)
  event.deadline = Number.POSITIVE_INFINITY
  clock.advance(500)
  event.deadline = 700
  deadlines.moved(event)
  clock.advance(500)
  expect(expired).toEqual(['1 at 700'])
})

test('what gets another deadline when it expires, expires a second time', () => {
  const { clock, expired, add } = watching((event, deadlines) =>
    event.timedOut ? end(event, deadlines) : Object.assign(event, { timedOut: true, deadline: 150 }),
  )
  add('1', 100)
  clock.advance(1_000)
  expect(expired).toEqual(['1 at 100', '1 at 150'])
})

test('closing leaves no timer, and takes none', () => {
  const { clock, deadlines, add } = watching()
  add('1', 100)
  deadlines.close()
  add('2', 50)
  expect(clock.nextIn).toBeUndefined()
  expect([...deadlines.values()].map(({ received }) => received.id)).toEqual(['1', '2'])
})
