import { setTimeout as sleep } from 'node:timers/promises'
import { dice, type Dice } from './dice.ts'
import type { Happening } from './history.ts'
import { beginOutage, endOutage } from './marks.ts'
import type { Slot } from './slot.ts'
import type { ChaosSystem, RunningSystem } from './systems/system.ts'

export interface Stage {
  readonly seed: number
  readonly system: Pick<ChaosSystem, 'pace' | 'lease'>
  readonly running: RunningSystem
  /** Relays, too. */
  readonly consumers: readonly Slot[]
  readonly publishers: readonly Slot[]
  readonly operator: Slot
  readonly queues: readonly string[]
  /** Where the processes have what they all know. */
  readonly folder: string
  write(happening: Happening): void
}

/** How far a wall clock is set at once, in milliseconds: so far that an event would be seen to start early, and none waits for long. */
const furthestStep = 8_000
/** How long all handlers of a queue fail, in milliseconds: long enough for the breaker to open, and to try again. */
const outage = [6_000, 16_000] as const

/** Kills, stops, freezes and disturbs as the seed has it, for so many milliseconds. Resolves when all is whole again. */
export async function intervene(stage: Stage, ms: number): Promise<void> {
  const chance = dice(stage.seed, 'interventions')
  const end = performance.now() + ms
  let disturbance: Promise<void> | undefined
  let failing: Promise<void> | undefined
  const freezes: Promise<void>[] = []
  for (;;) {
    const pause = chance.between(0, 2 * stage.system.pace)
    if (performance.now() + pause > end) break
    await sleep(pause)
    // Drawn in any case, so that what can be done at this moment changes nothing of what comes later.
    const [what, consumer, publisher] = [
      chance.next(),
      chance.pick(stage.consumers),
      chance.pick(stage.publishers),
    ]
    const disturbs = disturber(chance, stage)
    const frozen = chance.between(consumer.lease / 4, consumer.lease * 2)
    const step = chance.between(-furthestStep, furthestStep)
    const [queue, lasts] = [chance.pick(stage.queues), chance.between(...outage)]
    if (what < 0.28) consumer.kill()
    else if (what < 0.42) publisher.kill()
    else if (what < 0.53) consumer.stop()
    else if (what < 0.63) (what < 0.59 ? consumer : publisher).step(step)
    else if (what < 0.72) failing ??= fail(queue, lasts, stage).finally(() => (failing = undefined))
    else if (what < 0.75) stage.operator.kill()
    else if (what < 0.84 || disturbs === undefined) freezes.push(consumer.freeze(frozen))
    else disturbance ??= disturbs().finally(() => (disturbance = undefined))
  }
  await Promise.all([...freezes, disturbance, failing])
}

async function fail(queue: string, ms: number, { folder, write }: Stage): Promise<void> {
  write({ what: 'failing', queue })
  beginOutage(folder, queue)
  await sleep(ms)
  endOutage(folder, queue)
  write({ what: 'mended', queue })
}

function disturber(chance: Dice, { system, running, write }: Stage): (() => Promise<void>) | undefined {
  const all = Object.entries(running.disturbances)
  if (all.length === 0) return undefined
  const [how, disturb] = chance.pick(all)
  const ms = chance.between(100, 2 * system.lease)
  return async () => {
    write({ what: 'disturbed', how })
    await disturb(ms)
    write({ what: 'whole' })
  }
}
