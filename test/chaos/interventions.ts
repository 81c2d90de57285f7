import { setTimeout as sleep } from 'node:timers/promises'
import { dice, type Dice } from './dice.ts'
import type { Happening } from './history.ts'
import type { Slot } from './slot.ts'
import type { ChaosSystem, RunningSystem } from './systems/system.ts'

export interface Stage {
  readonly seed: number
  readonly system: Pick<ChaosSystem, 'pace' | 'lease'>
  readonly running: RunningSystem
  readonly consumers: readonly Slot[]
  readonly publishers: readonly Slot[]
  write(happening: Happening): void
}

/** Kills, stops, freezes and disturbs as the seed has it, for so many milliseconds. Resolves when all is whole again. */
export async function intervene(stage: Stage, ms: number): Promise<void> {
  const chance = dice(stage.seed, 'interventions')
  const end = performance.now() + ms
  let disturbance: Promise<void> | undefined
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
    const frozen = chance.between(stage.system.lease / 4, stage.system.lease * 2)
    if (what < 0.35) consumer.kill()
    else if (what < 0.55) publisher.kill()
    else if (what < 0.7) consumer.stop()
    else if (what < 0.8 || disturbs === undefined) freezes.push(consumer.freeze(frozen))
    else disturbance ??= disturbs().finally(() => (disturbance = undefined))
  }
  await Promise.all([...freezes, disturbance])
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
