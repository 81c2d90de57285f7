import { stepWallClock } from '../../src/conformance/processes/wall-clock.ts'
import type { Happening } from './history.ts'

/** What the harness tells a process: to set its wall clock by so many milliseconds. */
export interface Told {
  readonly step: number
}

/** Sets this process's wall clock when the harness says so. */
export function stepWhenTold(write: (happening: Happening) => void): void {
  process.on('message', ({ step }: Told) => {
    stepWallClock(step)
    write({ what: 'stepped', ms: step })
  })
  // Who listens would stay alive for that.
  process.channel?.unref()
}
