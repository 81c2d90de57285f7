import { setTimeout as sleep } from 'node:timers/promises'
import {
  defer,
  fatal,
  isMillraceError,
  millrace,
  retryIn,
  type Context,
  type MillraceEvent,
} from '../../src/index.ts'
import type { Task } from './begin.ts'
import { endWithHarness } from './harness-gone.ts'
import { firstTime, historyOf, type Ending } from './history.ts'
import { isCured, isFailing } from './marks.ts'
import { backoff, conductOf, cured, type ChaosData } from './plan.ts'
import { optionsOf, type ChaosQueue } from './queues.ts'
import { recorded } from './recorded.ts'
import { watchStalls } from './stalls.ts'
import { stepWhenTold } from './steps.ts'
import { runUntilStopped } from './until-stopped.ts'
import { transportOf } from './user-pool.ts'

/*
 * A process that handles events as planned, and writes down each start before it does anything, and each end before it
 * tells anybody. SIGTERM stops it in order.
 */
export interface ConsumerTask extends Task {
  readonly queues: readonly ChaosQueue[]
  readonly lease: number
  /** Whether an event that kills every process ends as a dead letter; else it must not be in the plan. */
  readonly countsCrashes: boolean
}

endWithHarness()
const task = JSON.parse(process.argv[2] as string) as ConsumerTask
const { folder, name, seed, queues, lease } = task
const write = historyOf(folder, name)
stepWhenTold(write)
watchStalls(lease, write)

const { transport, runOf } = recorded(await transportOf(task), write)
const app = millrace({ transport, logger: false })
async function handle({ id, type, key, data }: MillraceEvent, ctx: Context): Promise<void> {
  const { queue, attempt, signal } = ctx
  const run = runOf(ctx)
  write({
    what: 'start',
    run,
    queue,
    id,
    type,
    ...(key !== undefined && { key }),
    attempt,
    replaced: (data as ChaosData).replaced === true,
    now: Date.now(),
  })
  const end = (as: Ending, wait?: number): void =>
    write({ what: 'end', run, as, ...(wait !== undefined && { wait }), now: Date.now() })

  const conduct = isCured(folder, queue, id) ? cured : conductOf(seed, queue, id)
  const kills = conduct.poison === 'always' && task.countsCrashes
  if (kills || (conduct.poison !== 'never' && firstTime(folder, `poison-${queue}-${id}`))) {
    process.kill(process.pid, 'SIGKILL')
  }
  if (conduct.takes > 0) {
    await sleep(conduct.takes, undefined, conduct.heeds ? { signal } : {}).catch(() => {
      end(isMillraceError(signal.reason, 'STOPPING') ? 'stopped' : 'aborted')
      throw signal.reason
    })
  }
  if (conduct.defer !== undefined && firstTime(folder, `defer-${queue}-${id}`)) {
    end('deferred', conduct.defer)
    throw defer(conduct.defer)
  }
  if (isFailing(folder, queue)) {
    end('failed', backoff)
    throw new Error('as all of its queue')
  }
  if (attempt <= conduct.failures) {
    const error = new Error('as planned')
    if (conduct.fatal && attempt === conduct.failures) {
      end('fatal')
      throw fatal(error)
    }
    end('failed', conduct.retryIn ?? backoff)
    throw conduct.retryIn === undefined ? error : retryIn(conduct.retryIn, error)
  }
  end('ok')
}

for (const queue of queues) {
  const defined = app.queue(queue.name, optionsOf(queue, lease))
  for (const type of queue.types) defined.on(type, handle)
}

await runUntilStopped(app, write)
