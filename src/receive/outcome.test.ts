import { describe, expect, test } from 'vitest'
import { MillraceError } from '../errors/millrace-error.ts'
import {
  constant,
  defaultRetry,
  defer,
  exponential,
  fatal,
  linear,
  retryIn,
  verdictOn,
  type Backoff,
} from './outcome.ts'

const first = (n: number, backoff: Backoff): number[] => Array.from({ length: n }, (_, i) => backoff(i + 1))

describe('backoffs', () => {
  test('constant', () => expect(first(3, constant('200ms'))).toEqual([200, 200, 200]))

  test('linear', () => {
    expect(first(4, linear({ start: '2s', step: '1s', max: '4s' }))).toEqual([2_000, 3_000, 4_000, 4_000])
    expect(linear({ start: 0, step: '1d' })(1_000)).toBe(999 * 86_400_000)
  })

  test('exponential without jitter', () => {
    expect(first(6, exponential({ start: 10, factor: 3, max: 1_000, jitter: 'none' }))).toEqual([
      10, 30, 90, 270, 810, 1_000,
    ])
  })

  test('the default doubles from a second to 15 minutes', () => {
    const ceilings = first(12, exponential({ jitter: 'none' }))
    expect(ceilings.slice(0, 4)).toEqual([1_000, 2_000, 4_000, 8_000])
    expect(ceilings.slice(-2)).toEqual([900_000, 900_000])
  })

  test('full jitter stays in [0, ceiling) over 10 failures x 1000 samples, and uses all of it', () => {
    const [jittered, plain] = [exponential(), exponential({ jitter: 'none' })]
    for (let failures = 1; failures <= 10; failures++) {
      const ceiling = plain(failures)
      const samples = Array.from({ length: 1_000 }, () => jittered(failures))
      expect(Math.min(...samples)).toBeGreaterThanOrEqual(0)
      expect(Math.max(...samples)).toBeLessThan(ceiling)
      // Of 1,000 even samples, none in the lowest or highest tenth is a matter of 10^-46.
      expect(Math.min(...samples)).toBeLessThan(ceiling / 10)
      expect(Math.max(...samples)).toBeGreaterThan((ceiling * 9) / 10)
    }
  })

  test('does not overflow', () => expect(exponential({ jitter: 'none' })(5_000)).toBe(900_000))

  test.each([
    () => constant(-1),
    () => linear({ start: 1, step: 'x' as never }),
    () => exponential({ factor: 0.5 }),
    () => exponential({ factor: Number.NaN }),
    () => retryIn(-1),
    () => defer('soon' as never),
  ])('wrong options are refused: %s', (make) => {
    expect(make).toThrowError(expect.objectContaining({ code: 'INVALID_OPTION' }))
  })
})

describe('the verdict', () => {
  const policy = { attempts: 3, backoff: linear({ start: 100, step: 100 }) }
  const wrap = (cause: unknown): Error => new Error('outer', { cause })
  const plain = new Error('no')

  test.each<[string, unknown, number, object]>([
    ['an error', plain, 1, { as: 'retry', delay: 100, error: plain }],
    ['the second one', plain, 2, { as: 'retry', delay: 200 }],
    ['the last one', plain, 3, { as: 'dead', error: plain }],
    ['one beyond the last', plain, 4, { as: 'dead' }],
    ['fatal', fatal(plain), 1, { as: 'dead', error: plain }],
    ['fatal of a text', fatal('no such customer'), 1, { as: 'dead', error: { message: 'no such customer' } }],
    ['a wrapped fatal', wrap(wrap(fatal(plain))), 1, { as: 'dead', error: { message: 'outer' } }],
    ['a fatal defer', fatal(defer(1)), 1, { as: 'dead' }],
    ['retryIn', retryIn('5s', plain), 2, { as: 'retry', delay: 5_000, error: plain }],
    ['retryIn at the last attempt', retryIn('5s', plain), 3, { as: 'dead' }],
    ['retryIn(0)', retryIn(0), 1, { as: 'retry', delay: 0 }],
    ['defer', defer('5s'), 3, { as: 'release', delay: 5_000 }],
    ['what cannot be decoded', new MillraceError('DECODE_FAILED', 'x'), 1, { as: 'dead' }],
    // A handler that publishes something invalid: its own event is not to blame.
    ['DATA_INVALID of a publish', new MillraceError('DATA_INVALID', 'x'), 1, { as: 'retry' }],
    ['a text', 'oops', 1, { as: 'retry', error: { code: 'HANDLER_FAILED', message: 'oops' } }],
    ['nothing', undefined, 1, { as: 'retry', error: { code: 'HANDLER_FAILED', message: 'undefined' } }],
    ['null', null, 1, { as: 'retry', error: { code: 'HANDLER_FAILED', message: 'null' } }],
  ])('on %s', (_name, thrown, attempt, verdict) => {
    expect(verdictOn(thrown, attempt, policy)).toMatchObject(verdict)
  })

  test('survives causes that go in a circle', () => {
    const error = new Error('circle')
    error.cause = error
    expect(verdictOn(error, 1, policy)).toMatchObject({ as: 'retry', error })
  })

  test('on a fatal of another copy of the library', () => {
    const foreign = Object.assign(new Error('x', { cause: plain }), {
      [Symbol.for('millrace.control')]: { as: 'dead' },
    })
    expect(verdictOn(foreign, 1, policy)).toMatchObject({ as: 'dead', error: plain })
  })

  test.each<[string, Backoff]>([
    [
      'throws',
      () => {
        throw new Error('my bug')
      },
    ],
    ['gives NaN', () => Number.NaN],
    ['gives a negative number', () => -5],
    ['gives Infinity', () => Number.POSITIVE_INFINITY],
    ['gives nothing', () => undefined as unknown as number],
  ])('a backoff that %s is replaced by the default', (_name, backoff) => {
    const { as, delay } = verdictOn(plain, 2, { attempts: 3, backoff })
    expect(as).toBe('retry')
    expect(delay).toBeGreaterThanOrEqual(0)
    expect(delay).toBeLessThan(2_000)
  })

  test('by default 25 attempts', () => {
    expect(verdictOn(plain, 24, defaultRetry).as).toBe('retry')
    expect(verdictOn(plain, 25, defaultRetry).as).toBe('dead')
  })
})
