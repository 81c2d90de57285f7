import { monotonic, type Happening } from './history.ts'

/** Writes down when the event loop stood still for more than a third of the lease: who does nothing for so long may lose it. */
export function watchStalls(lease: number, write: (happening: Happening) => void): void {
  const interval = lease / 6
  let due = monotonic() + interval
  const timer = setInterval(() => {
    const now = monotonic()
    if (now - due > lease / 3) write({ what: 'stalled', ms: now - due })
    due = now + interval
  }, interval)
  timer.unref()
}
