import type { Features, QueueOptions } from '../../src/index.ts'
import { attempts, backoff, types } from './plan.ts'
import { constant } from '../../src/index.ts'

export interface ChaosQueue {
  readonly name: string
  readonly types: readonly string[]
  readonly order: 'none' | 'park' | 'pass'
}

const all: readonly ChaosQueue[] = [
  { name: 'chaos-all', types, order: 'none' },
  { name: 'chaos-rare', types: ['chaos.rare'], order: 'none' },
  { name: 'chaos-park', types, order: 'park' },
  { name: 'chaos-pass', types, order: 'pass' },
]

/** The queues that a system of these features can have. */
export function queuesFor({ order, onRetry }: Features): readonly ChaosQueue[] {
  return all.filter((queue) => queue.order === 'none' || (order === 'key' && onRetry.includes(queue.order)))
}

export function optionsOf(queue: ChaosQueue, lease: number): QueueOptions {
  return {
    lease,
    concurrency: 8,
    order: queue.order === 'none' ? 'none' : { by: 'key', onRetry: queue.order },
    retry: { attempts, backoff: constant(backoff) },
  }
}
