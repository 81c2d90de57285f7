import { manualClock } from '../../clock/manual-clock.ts'
import { testTransport } from '../../conformance/index.ts'
import { memory } from './index.ts'
import { MemoryTransport } from './memory-transport.ts'

const clock = manualClock()

testTransport('memory', { open: () => memory() })
testTransport('memory with a manual clock', { open: () => new MemoryTransport({ clock }), clock })
