import { expect, test } from 'vitest'
import { milliseconds, readable, type Duration } from './duration.ts'

test.each<[Duration, number]>([
  [0, 0],
  [1.5, 1.5],
  ['250ms', 250],
  ['1.5s', 1_500],
  ['10m', 600_000],
  ['2h', 7_200_000],
  ['7d', 604_800_000],
])('%j is %d ms', (duration, ms) => {
  expect(milliseconds(duration, 'x')).toBe(ms)
})

test.each([
  -1,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  '',
  '5',
  '5 s',
  '-5s',
  '1e3s',
  's',
  null,
  undefined,
  {},
])('%j is no duration', (wrong) => {
  expect(() => milliseconds(wrong as Duration, 'lease')).toThrowError(
    expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining('`lease`') }),
  )
})

test.each([
  [0, '0 ms'],
  [350.4, '350 ms'],
  [4_200, '4.2 s'],
  [720_000, '12 min'],
  [12_600_000, '3.5 h'],
  [259_200_000, '3 d'],
])('%d is shown as %s', (ms, text) => {
  expect(readable(ms)).toBe(text)
})
