import { expect, test } from 'vitest'
import { held } from '../../test/held.ts'
import { manualClock } from '../clock/manual-clock.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import type { Held } from './held.ts'
import { Settler } from './settler.ts'

function settling() {
  const clock = manualClock()
  const log: string[] = []
  const settler: Settler = new Settler(clock, {
    settled: (of, result) => log.push(`${of.received.id} ${result}`),
    refused: (of, error) => log.push(`${of.received.id} refused: ${error.message}`),
    recovered: (reason, after) => log.push(`${reason} over after ${after}`),
    ready: () => log.push('ready'),
  })
  const add = (...events: string[]): void => {
    for (const id of events) {
      const event = held(id)
      settler.add(event, { of: event.received, as: 'ack' })
    }
  }
  return { clock, log, settler, add }
}

const refusal = new MillraceError('STORE_BUSY', 'busy')

const ids = (list: readonly Held[]): string[] => list.map(({ received }) => received.id)

test('what waits is taken in its order, and answered one by one', () => {
  const { settler, log, add } = settling()
  add('1', '2', '3')
  const list = settler.take()
  expect(ids(list)).toEqual(['1', '2', '3'])
  expect(list.map(({ state }) => state)).toEqual(['settling', 'settling', 'settling'])
  log.length = 0
  settler.answer(list, ['done', 'gone', 'lost'])
  expect(log).toEqual(['1 done', '2 gone', '3 lost'])
  expect(settler.open).toBe(0)
})

test('no answer in detail means that all are done', () => {
  const { settler, log, add } = settling()
  add('1', '2')
  settler.answer(settler.take(), undefined)
  expect(log.slice(2)).toEqual(['1 done', '2 done'])
})

test('what comes while some are under way can be taken, too', () => {
  const { settler, log, add } = settling()
  add('1')
  const first = settler.take()
  add('2')
  const second = settler.take()
  expect(ids(second)).toEqual(['2'])
  expect([settler.open, settler.departing, settler.leaving]).toEqual([2, 2, 0])
  log.length = 0
  settler.answer(second, undefined)
  expect([settler.open, settler.departing]).toEqual([1, 1])
  settler.answer(first, undefined)
  expect(log).toEqual(['2 done', '1 done'])
  expect(settler.open).toBe(0)
})

test('after a broken exchange all are sent again, before what came meanwhile', () => {
  const { settler, add } = settling()
  add('1', '2')
  const list = settler.take()
  add('3')
  settler.failed(list)
  expect(settler.open).toBe(3)
  expect(ids(settler.take())).toEqual(['1', '2', '3'])
})

test('what was refused is asked again after a while, longer each time, and does not hold up the others', () => {
  const { settler, log, add, clock } = settling()
  add('1', '2')
  settler.answer(settler.take(), [refusal, 'done'])
  expect(log.slice(2)).toEqual(['1 refused: busy', '2 done'])
  expect([settler.open, settler.take()]).toEqual([1, []])
  clock.advance(99)
  expect(settler.take()).toEqual([])
  clock.advance(1)
  settler.answer(settler.take(), [refusal])
  expect(clock.nextIn).toBe(200)
  add('3')
  settler.answer(settler.take(), undefined)
  clock.advance(200)
  const first = settler.take()
  expect(ids(first)).toEqual(['1'])
  settler.answer(first, [refusal])
  expect(clock.nextIn).toBe(400)
  clock.advance(400)
  settler.answer(settler.take(), undefined)
  add('4')
  settler.answer(settler.take(), [refusal])
  expect(clock.nextIn).toBe(100)
})

test('each reason for refusals is told once, until all that was refused for it is answered; then that it is over', () => {
  const { settler, log, add, clock } = settling()
  const told = (): string[] => log.splice(0).filter((line) => line !== 'ready')
  const full = new MillraceError('STORE_FULL', 'full')
  add('1', '2', '3')
  settler.answer(settler.take(), [refusal, refusal, full])
  expect(told()).toEqual(['1 refused: busy', '3 refused: full'])
  clock.advance(100)
  add('4')
  settler.answer(settler.take(), ['done', refusal, full, refusal])
  expect(told()).toEqual(['1 done'])
  add('5')
  settler.answer(settler.take(), undefined)
  expect(told()).toEqual(['5 done'])
  clock.advance(200)
  settler.answer(settler.take(), undefined)
  expect(told()).toEqual([
    '2 done',
    '3 done',
    '4 done',
    'STORE_BUSY over after 300',
    'STORE_FULL over after 300',
  ])
  add('6')
  settler.answer(settler.take(), [refusal])
  expect(told()).toEqual(['6 refused: busy'])
})

test('what is refused for good does not hide for ever that others are, too: each reason is told again, once a minute at most', () => {
  const { settler, log, add, clock } = settling()
  const told = (): string[] => log.splice(0).filter((line) => line.includes('refused'))
  /** Tries again for so long, and adds a new event each second; the system takes none of either. */
  const refuseFor = (seconds: number, name: string): void => {
    for (let n = 0; n < seconds; n++) {
      add(`${name}${n}`)
      const list = settler.take()
      settler.answer(
        list,
        list.map(() => refusal),
      )
      clock.advance(1_000)
    }
  }
  add('spoiled')
  settler.answer(settler.take(), [refusal])
  expect(told()).toEqual(['spoiled refused: busy'])
  refuseFor(59, 'soon')
  expect(told()).toEqual([])
  refuseFor(61, 'later')
  expect(told()).toEqual(['later1 refused: busy'])
})

test('a reason is over, though others are refused for another one', () => {
  const { settler, log, add, clock } = settling()
  const spoiled = new MillraceError('EVENT_TOO_LARGE', 'too large')
  add('1', '2')
  settler.answer(settler.take(), [spoiled, refusal])
  clock.advance(100)
  log.length = 0
  settler.answer(settler.take(), [spoiled, 'done'])
  expect(log).toEqual(['2 done', 'STORE_BUSY over after 100'])
  expect(clock.nextIn).toBe(200)
})

test('closing leaves no timer', () => {
  const { settler, add, clock } = settling()
  add('1')
  settler.answer(settler.take(), [refusal])
  settler.close()
  expect(clock.nextIn).toBeUndefined()
})

test('what is to be settled makes room, but not what was refused before', () => {
  const { clock, settler, add } = settling()
  add('1', '2', '3')
  expect(settler.leaving).toBe(3)
  const list = settler.take()
  expect([settler.leaving, settler.departing]).toEqual([0, 3])
  settler.answer(list, ['done', refusal, refusal])
  expect(settler.departing).toBe(0)
  add('4')
  expect(settler.leaving).toBe(1)
  clock.advance(100)
  expect(settler.leaving).toBe(1)
  const again = settler.take()
  expect(ids(again)).toEqual(['2', '3', '4'])
  expect([settler.leaving, settler.departing]).toEqual([0, 1])
  settler.failed(again)
  expect(settler.departing).toBe(0)
  expect(settler.leaving).toBe(1)
  settler.answer(settler.take(), undefined)
  add('5')
  expect(settler.leaving).toBe(1)
})
