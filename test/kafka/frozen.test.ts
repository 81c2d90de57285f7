import { expect, test } from 'vitest'
import { errandsOf, ProcessBench } from '../../src/conformance/processes/bench.ts'
import { numbers } from '../../src/conformance/harness.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'

/* A process that was frozen for longer than its session, while the group gave its partitions to another. */

const count = 20

await describeWithServer('kafka', (url) => {
  test.each([
    ['that the engine has taken ahead', 10],
    ['that wait in their lanes', 1],
  ])('starts no events %s before it knows whose they are', { timeout: 90_000 }, async (_which, prefetch) => {
    const module = new URL('../processes/kafka.ts', import.meta.url)
    const bench = await ProcessBench.open(
      { module, place: () => `${url}?partitions=1`, lease: 6_000, patience: 60_000 },
      false,
    )
    try {
      const options = { lease: bench.lease, concurrency: 1, prefetch }
      const frozen = await bench.start('consume', options)
      const [first, ...others] = errandsOf('nothing', count)
      await bench.publish([{ ...first!, does: 'hold' }, ...others])
      await bench.until('the first to start', () => frozen.of('start').length > 0, frozen)
      frozen.signal('SIGSTOP')
      const other = await bench.start('consume', options)
      await bench.until('the first to start again', () => other.of('start').length > 0, other)
      other.tell('go')
      await bench.until('all to end', () => other.of('end').length === count, other)
      frozen.tell('go')
      frozen.signal('SIGCONT')
      await bench.until('the late one to end', () => frozen.of('end').length > 0, frozen)
      await bench.stop(frozen)
      await bench.empty()
      expect(other.numbers('end')).toEqual(numbers(count))
      expect(frozen.numbers('start')).toEqual([0])
    } finally {
      await bench.close()
    }
  })
})
