import { millrace, PublishError } from '../../src/index.ts'
import { outboxQueue } from '../../src/publish/outbox-queue.ts'
import { beside, type TransportFaults } from '../faulty-transport.ts'
import { outboxOf, type Task } from './begin.ts'
import { endWithHarness } from './harness-gone.ts'
import { firstTime, historyOf } from './history.ts'
import { relayDies } from './plan.ts'
import { recorded } from './recorded.ts'
import { watchStalls } from './stalls.ts'
import { stepWhenTold } from './steps.ts'
import { runUntilStopped } from './until-stopped.ts'
import { transportOf } from './user-pool.ts'

/*
 * A process that relays, and writes down what it was handed out of the outbox, each try to send it, and what came of that.
 * SIGTERM stops it in order.
 */
export interface RelayTask extends Task {
  readonly outbox: string
  /** Of the queues that it sends to: who stands still for so long may keep others from theirs. */
  readonly lease: number
}

endWithHarness()
const task = JSON.parse(process.argv[2] as string) as RelayTask
const write = historyOf(task.folder, task.name)
stepWhenTold(write)
watchStalls(task.lease, write)

const { transport: outbox, latest } = recorded(await outboxOf(task, task.outbox), write)

const publish: TransportFaults['publish'] = async (call, events, options) => {
  const sent = events.map(({ id, type, key }) => {
    const { run, attempt } = latest.get(id)!
    return { run, attempt, id, type, ...(key !== undefined && { key }) }
  })
  const queue = outboxQueue.name
  for (const one of sent) write({ what: 'start', queue, ...one, replaced: false, now: Date.now() })
  const end = (as: readonly ('ok' | 'failed')[]): void =>
    sent.forEach(({ run }, i) => write({ what: 'end', run, as: as[i] as 'ok' | 'failed', now: Date.now() }))
  const die = (when: 'before' | 'after'): void => {
    if (sent.some(({ id }) => relayDies(task.seed, id) === when && firstTime(task.folder, `relay-${id}`)))
      process.kill(process.pid, 'SIGKILL')
  }
  die('before')
  try {
    await call(events, options)
    die('after')
    end(sent.map(() => 'ok'))
  } catch (error) {
    if (!(error instanceof PublishError)) throw error
    end(error.results.map((result) => (result === 'taken' ? 'ok' : 'failed')))
    throw error
  }
}

// Who waits for the next commit keeps no process alive.
process.channel?.ref()
const transport = beside(await transportOf(task), { publish })
await runUntilStopped(millrace({ transport, outbox, logger: false }), write)
