import { expect, test } from 'vitest'
import { Contest } from './contest.ts'
import { measure } from './measure.ts'
import type { RateRow, Run } from './row.ts'
import { quantile, spreadOf } from './spread.ts'

const effort = { pairs: 3, latencyPairs: 2, seconds: 1 }
const options = { peers: false, quick: false }

/** Takes so many microseconds of a made-up clock for each event. */
function runAt(microseconds: number, seen: number[] = []): Run {
  return async (count) => {
    seen.push(count)
    return { wall: (count * microseconds) / 1_000, cpu: (count * microseconds) / 2_000, events: count }
  }
}

function rowOf(raw: Run, ours: Run, bar: number): RateRow {
  const sides = { settings: {}, raw, ours, beside: { other: ours }, async [Symbol.asyncDispose]() {} }
  return { kind: 'rate', name: 'a.b', about: '', baseline: '', bar, open: async () => sides }
}

test('a rate is told per second, per processor time and as the ratio of each pair', async () => {
  const { figures } = await measure(rowOf(runAt(10), runAt(20), 0.5), effort, options)
  expect(figures).toMatchObject([
    {
      name: 'throughput',
      raw: { median: 100_000 },
      ours: { median: 50_000 },
      ratio: { median: 0.5 },
      beside: { other: { median: 50_000 } },
      bar: { kept: true },
    },
    { name: 'processor time', raw: { median: 5 }, ours: { median: 10 }, ratio: { median: 2 } },
  ])
})

test('a bar that is missed is said to be', async () => {
  const { figures } = await measure(rowOf(runAt(10), runAt(20), 0.51), effort, options)
  expect(figures[0]?.bar).toEqual({ text: 'ratio >= 0.51', kept: false })
})

test('each side does as many events as it takes, and no window that counts is too short', async () => {
  const raw: number[] = []
  const ours: number[] = []
  const contest = new Contest([runAt(10, raw), runAt(40, ours)], 3_000)
  await contest.round()
  const tried = raw.length
  await contest.round()
  // Some to warm up, and the window.
  expect([raw.length, ours.length]).toEqual([tried + 2, tried + 2])
  for (const [counts, microseconds] of [
    [raw, 10],
    [ours, 40],
  ] as const) {
    expect(counts.at(-1)! * microseconds).toBeGreaterThanOrEqual(3_000_000)
    expect(counts.at(-1)! * microseconds).toBeLessThan(4_000_000)
  }
})

test('a side that does less than it is asked for is not measured', async () => {
  const lazy: Run = async (count) => ({ ...(await runAt(10)(count)), events: count - 1 })
  await expect(measure(rowOf(runAt(10), lazy, 0.5), effort, options)).rejects.toThrow(
    'Run 2 of 2 did 999 events instead of 1000',
  )
})

test('who begins changes with every round', async () => {
  const order: string[] = []
  const named =
    (name: string): Run =>
    async (events) => {
      order.push(name)
      return { wall: 1, cpu: 1, events }
    }
  const contest = new Contest([named('raw'), named('ours')], 1)
  await contest.round()
  await contest.round()
  expect(order).toEqual(['raw', 'raw', 'ours', 'ours', 'ours', 'ours', 'raw', 'raw'])
})

test('p99 may be later than raw by a millisecond, or by half', async () => {
  const p99 = async (raw: number, ours: number): Promise<boolean | undefined> => {
    const sides = {
      settings: {},
      raw: async () => [raw],
      ours: async () => [ours],
      async [Symbol.asyncDispose]() {},
    }
    const row = { kind: 'latency', name: 'a.b', about: '', baseline: '', open: async () => sides } as const
    return (await measure(row, effort, options)).figures[1]?.bar?.kept
  }
  expect([await p99(0.5, 1.5), await p99(0.5, 1.6), await p99(10, 15), await p99(10, 15.1)]).toEqual([
    true,
    false,
    true,
    false,
  ])
})

test('latencies of different numbers of events are not compared', async () => {
  const sides = {
    settings: {},
    raw: async () => [1, 1],
    ours: async () => [1],
    async [Symbol.asyncDispose]() {},
  }
  const row = { kind: 'latency', name: 'a.b', about: '', baseline: '', open: async () => sides } as const
  await expect(measure(row, effort, options)).rejects.toThrow('Ours had 1 events, raw 2')
})

test('quantiles are values that were measured', () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 })
  expect(
    quantile(
      Array.from({ length: 1_000 }, (_, n) => n + 1),
      0.99,
    ),
  ).toBe(990)
})
