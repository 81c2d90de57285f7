import { systemClock } from '../clock/clock.ts'
import { exitCodes } from './exit-codes.ts'

/**
 * npm passes on a Ctrl-C that the terminal has sent to us already, on a busy machine late. In milliseconds: shorter than most
 * second thoughts, and who insists presses again.
 */
const sameSignal = 250

/** Resolves with the first SIGINT or SIGTERM. A second one ends the process at once. */
export function endSignals(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let first: number | undefined
    const onSignal = (signal: NodeJS.Signals): void => {
      const now = systemClock.monotonic()
      if (first === undefined) first = now
      else if (now - first > sameSignal) process.exit(exitCodes.interrupted)
      resolve(signal)
    }
    process.on('SIGINT', onSignal)
    process.on('SIGTERM', onSignal)
  })
}
