import { manualClock } from '../../clock/manual-clock.ts'
import { testLocks } from '../../conformance/index.ts'
import { locksOn } from '../../contract/locks-on.ts'
import { memoryLocks } from './index.ts'
import { MemoryLocks } from './memory-locks.ts'

const clock = manualClock()

testLocks('memory', { open: () => memoryLocks() })
testLocks('memory with a manual clock', { open: () => locksOn(new MemoryLocks({ clock }), clock), clock })
