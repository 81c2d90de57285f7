// How many bytes an event takes from the heap: allocations-process.ts, on a young generation so large that nothing is
// collected meanwhile. Says it for each way, as JSON.
import { PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Run } from '../row.ts'
import { bareCalls } from './bare.ts'
import { arrays, oneByOne, serialised } from './runs.ts'

const events = 10_000

/** When garbage was last collected; told some time later. */
let collected = 0
new PerformanceObserver((list) => {
  for (const { startTime } of list.getEntries()) collected = Math.max(collected, startTime)
}).observe({ entryTypes: ['gc'] })

async function bytesPerEvent(run: Run): Promise<number> {
  await run(events)
  globalThis.gc?.()
  const began = performance.now()
  const before = process.memoryUsage().heapUsed
  await run(events)
  const after = process.memoryUsage().heapUsed
  await sleep(20)
  if (collected > began) throw new Error('Garbage was collected: the young generation is too small')
  return (after - before) / events
}

console.log(
  JSON.stringify({
    arrays: await bytesPerEvent(arrays),
    'one by one': await bytesPerEvent(oneByOne),
    serialised: await bytesPerEvent(serialised),
    'bare calls': await bytesPerEvent(bareCalls(false)),
    'bare calls and JSON.stringify': await bytesPerEvent(bareCalls(true)),
  }),
)
