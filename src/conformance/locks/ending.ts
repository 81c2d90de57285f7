import { expect } from 'vitest'
import { isMillraceError } from '../../errors/millrace-error.ts'
import { refused } from '../refused.ts'
import { later } from '../time.ts'
import type { LocksCase } from './bench.ts'

/** Locks that are closed. */
export const ending: readonly LocksCase[] = [
  {
    name: 'close releases what is held and tells its holders',
    unless: (_features, { reopen }) => (reopen === undefined ? 'there is no other instance' : undefined),
    async run(bench) {
      const held = [await bench.take('a'), await bench.take('b')]
      await bench.locks.close()
      for (const { name, signal } of held) {
        expect(isMillraceError(signal.reason, 'STOPPED')).toBe(true)
        await bench.take(name, {}, bench.other)
      }
    },
  },
  {
    name: 'a lock of what was closed is lost: its signal says so, and its calls do no harm',
    async run({ locks }) {
      const lock = await locks.acquire('a')
      await locks.close()
      expect(isMillraceError(lock.signal.reason, 'STOPPED')).toBe(true)
      await refused(lock.extend('1h'), 'LOCK_LOST')
      await lock.release()
    },
  },
  {
    name: 'close ends who waits; then everything but closing is STOPPED',
    async run(bench) {
      await bench.take('a')
      const waiting = later(refused(bench.locks.acquire('a'), 'STOPPED'))
      await bench.time.pass(20)
      await bench.time.soon('close', bench.locks.close())
      await bench.time.soon('who waits to be told', waiting)
      await refused(bench.locks.acquire('a'), 'STOPPED')
      await refused(bench.locks.tryAcquire('a'), 'STOPPED')
      await bench.locks.close()
      await bench.locks[Symbol.asyncDispose]()
    },
  },
]
