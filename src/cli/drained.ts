import { systemClock } from '../clock/clock.ts'
import type { LoadedApp } from './app-of.ts'

/** How long handlers may go on after a signal, in milliseconds. */
export const drainTime = 10_000

/** Stops the app. Whether it had finished by itself: what is aborted is aborted at the end of the time. */
export async function drained(app: LoadedApp): Promise<boolean> {
  const began = systemClock.monotonic()
  await app.stop({ timeout: drainTime })
  return systemClock.monotonic() - began < drainTime - 1 // a timer may be early by less than a millisecond
}
