import { expect, test } from 'vitest'
import { manualClock } from '../../clock/manual-clock.ts'
import { testLocks } from '../../conformance/index.ts'
import { locksOn } from '../../contract/locks-on.ts'
import { memoryLocks } from './index.ts'
import { MemoryLocks } from './memory-locks.ts'

const clock = manualClock()

testLocks('memory', { open: () => memoryLocks() })
testLocks('memory with a manual clock', { open: () => locksOn(new MemoryLocks({ clock }), clock), clock })

test('locks that were lost leave the memory, also behind some that are held for long', async () => {
  const locks = new MemoryLocks({ clock })
  for (let i = 0; i < 20; i++) await locks.take(`long ${i}`, 3_600_000)
  for (let i = 0; i < 100; i++) await locks.take(`lost ${i}`, 1_000)
  clock.advance(2_000)
  for (let i = 0; i < 80; i++) await locks.take(`new ${i}`, 3_600_000)
  expect(locks.held).toBe(100)
})
