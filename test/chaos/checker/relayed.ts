import { outboxQueue } from '../../../src/publish/outbox-queue.ts'
import { attemptsCount, deadForAReason } from './attempts.ts'
import type { Cause, Reason } from './causes.ts'
import { factsOf, type Evidence, type Facts } from './facts.ts'
import { handled } from './handled.ts'
import { outcomes } from './outcomes.ts'
import { overlap } from './overlap.ts'
import { published } from './published.ts'
import { starts } from './starts.ts'
import type { Violation } from './violation.ts'

/** What is judged by itself: the outbox, if there is one, and the queues behind it. */
export interface Stages {
  readonly outbox: Facts | undefined
  readonly queues: Facts
}

/**
 * To the outbox a relay is a consumer whose handler sends an event on; to the queues it is what brings their events. Publishers
 * use only the one, consumers only the other: what is wrong with it, or their clocks, does not concern the others.
 */
export function stagesOf(evidence: Evidence): Stages {
  const { outbox, entries } = evidence
  if (outbox === undefined) return { outbox, queues: factsOf(evidence) }
  const first = factsOf({ ...outbox, entries })
  const publishers = new Set(entries.filter(({ what }) => what === 'publishing').map(({ by }) => by))
  const atQueues = entries.filter(({ what, by }) => {
    if (what === 'disturbed' || what === 'whole') return false
    return what !== 'stepped' || !publishers.has(by)
  })
  return { outbox: first, queues: factsOf({ ...evidence, entries: atQueues }, copiesBy(first)) }
}

/** What was sent, but for what was surely not taken. */
function copiesBy({ runs }: Facts): Facts['copies'] {
  const sent = [...(runs.get(outboxQueue.name) ?? [])]
  return new Map(
    sent.map(([id, tries]) => [
      id,
      tries
        .filter(({ end }) => end?.as !== 'failed')
        .map(({ at }): Reason => ({ cause: 'relayed again', from: at })),
    ]),
  )
}

/**
 * What was committed was sent, what was rolled back was not; each once, and once more only for a cause of its own. Order by key
 * and delays are judged where they end, in the queues. Counts the causes into `repeats`.
 */
export function relayed(outbox: Facts, repeats: Map<Cause, number>): Violation[] {
  return [
    ...handled(outbox),
    ...starts(outbox, repeats),
    ...published(outbox),
    ...overlap(outbox),
    ...attemptsCount(outbox),
    ...outcomes(outbox),
    ...deadForAReason(outbox),
  ]
}
