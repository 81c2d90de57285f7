import { describe, expect, test } from 'vitest'
import { never } from '../../test/faulty-transport.ts'
import { systemClock } from '../clock/clock.ts'
import type { Notice } from '../contract/transport.ts'
import { Progress, stopStep } from './progress.ts'

const soon = (): number => systemClock.monotonic() + 20

describe('until', () => {
  test('ends when it is so, having been told that something happened', async () => {
    const progress = new Progress()
    let done = 0
    const both = Promise.all([
      progress.until(() => done >= 1, Number.MAX_SAFE_INTEGER),
      progress.until(() => done >= 2, Number.MAX_SAFE_INTEGER),
    ])
    for (let i = 0; i < 2; i++) {
      done++
      progress.happened()
      await Promise.resolve()
    }
    await both
  })

  test('ends at the deadline all the same', async () => {
    const began = systemClock.monotonic()
    await new Progress().until(() => false, began + 20)
    expect(systemClock.monotonic() - began).toBeGreaterThanOrEqual(19)
  })

  test('does not wait for a deadline that is over', async () => {
    await new Progress().until(() => false, systemClock.monotonic() - 1)
  })
})

describe('a step of a stop', () => {
  test.each<[string, () => Promise<void>, object[]]>([
    ['that is done', async () => undefined, []],
    [
      'that never ends',
      never,
      [{ code: 'CONNECTION_LOST', message: 'The transport did not answer in time at the stop' }],
    ],
    [
      'that fails',
      () => Promise.reject(new Error('cut')),
      [{ code: 'CONNECTION_LOST', message: 'The transport failed at the stop', cause: new Error('cut') }],
    ],
    [
      'that throws at once',
      () => {
        throw new Error('cut')
      },
      [{ code: 'CONNECTION_LOST', message: 'The transport failed at the stop', cause: new Error('cut') }],
    ],
  ])('%s', async (_name, step, expected) => {
    const notices: Notice[] = []
    await stopStep(step, soon(), (notice) => notices.push(notice))
    expect(notices).toEqual(expected)
  })
})
