import { expect, test } from 'vitest'
import { Story } from './story.ts'

const stopping = { what: 'stopping', timeout: 1_000 } as const
const stop = (until: number): Story =>
  new Story().note(3, 'p', stopping).note(until, 'p', { what: 'stopped' })

test('a stop takes two seconds beyond its timeout at most, also while the system is disturbed', () => {
  expect(stop(5.9).broken).toEqual([])
  expect(stop(6.1).broken).toEqual(['stops'])
  expect(stop(6.1).disturb(3, 6).broken).toEqual(['stops'])
})

test('one that does not end, until somebody kills the process or for ever', () => {
  const never = (): Story => new Story().note(3, 'p', stopping)
  expect(never().kill('p', 4).broken).toEqual([])
  expect(never().kill('p', 6.1).broken).toEqual(['stops'])
  expect(never().note(7, 'q', { what: 'up' }).broken).toEqual(['stops'])
})

test('but the time in which the process stood still does not count', () => {
  expect(stop(6.9).freeze('p', 2, 4).broken).toEqual([])
  expect(stop(6.9).stall('p', 4, 5).broken).toEqual([])
  // Who was frozen also sees that he stalled.
  expect(stop(6.9).freeze('p', 2, 3.8).stall('p', 2, 3.8).broken).toEqual(['stops'])
  expect(stop(6.9).freeze('q', 2, 4).broken).toEqual(['stops'])
})
