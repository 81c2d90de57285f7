import type { Ending } from '../history.ts'
import type { Facts, Run } from './facts.ts'
import type { Violation } from './violation.ts'

/** What the system is told of a run is what its handler said: an event that failed is not acknowledged, nor one that was handled retried. */
export function outcomes({ runs, attempts }: Pick<Facts, 'runs' | 'attempts'>): Violation[] {
  const all = [...runs.values()].flatMap((ofQueue) => [...ofQueue.values()].flat())
  return all.flatMap((run) => {
    const { id, queue, end, hold } = run
    // A relay settles as its last try went.
    if (hold.answer === undefined || hold.started !== run) return []
    if (end !== undefined && settlementsFor(end.as, run, attempts).includes(hold.answer.as)) return []
    const text = `${id} in ${queue} was settled as ${hold.answer.as}, but its handler ${end === undefined ? 'had not ended' : `said ${end.as}`}`
    return [{ rule: 'outcomes', text, ids: [id], queue }]
  })
}

function settlementsFor(said: Ending, { attempt, process, end }: Run, attempts: number): readonly string[] {
  if (said === 'ok') return ['ack']
  if (said === 'fatal') return ['dead']
  if (said === 'deferred' || said === 'stopped') return ['release']
  const retry = attempt >= attempts ? 'dead' : 'retry'
  if (said === 'aborted') return [retry, 'release']
  // What fails when its signal was aborted by the stop counts as given back.
  return end !== undefined && end.at >= process.gaveUp ? [retry, 'release'] : [retry]
}
