/** A timer that can be taken back. */
export interface Timer {
  cancel(): void
}

/**
 * Where every part of millrace takes its time from, so that a test can move it by hand.
 * Leases and time-outs are counted with `monotonic`, which never jumps; only what a user named as a date uses `now`.
 */
export interface Clock {
  /** Milliseconds since 1970, as people count them. Can step both ways. */
  now(): number
  /** Milliseconds since this machine started; the same for all its processes; never steps. */
  monotonic(): number
  /** Calls `run` once, `ms` from now by the monotonic clock. Does not keep the process alive. Any length: longer than 2^31 ms too. */
  after(ms: number, run: () => void): Timer
}

/** The wall clock may be set while somebody waits for a date, so he looks at it at least this often, in milliseconds. */
export const longestLook = 60_000

/** Node's setTimeout overflows above this and fires at once. */
export const longestTimer = 2 ** 31 - 1

/**
 * How far the machine's clock is ahead of this process's own, which counts from its start. Something may come between the two
 * looks, which makes it look less: the greatest of several is the closest.
 */
export function aheadOf(machine: () => number, own: () => number): number {
  return Math.max(...Array.from({ length: 20 }, () => machine() - own()))
}

const sinceBoot = aheadOf(
  () => Number(process.hrtime.bigint()) / 1e6,
  () => performance.now(),
)

/** The machine's own clocks. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => sinceBoot + performance.now(),
  after(ms, run) {
    const end = systemClock.monotonic() + ms
    let timer: NodeJS.Timeout
    const arm = (left: number): void => {
      timer = setTimeout(
        () => {
          const rest = end - systemClock.monotonic()
          if (rest > 1) arm(rest)
          else run()
        },
        Math.min(Math.max(Math.ceil(left), 1), longestTimer),
      )
      timer.unref()
    }
    arm(ms)
    return { cancel: () => clearTimeout(timer) }
  },
}

/**
 * Resolves `ms` from now, or as soon as the signal is aborted. Never rejects. Keeps the process alive until then: somebody
 * waits for what comes behind it.
 */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve()
    const alive = setInterval(() => undefined, longestTimer)
    const done = (): void => {
      timer.cancel()
      clearInterval(alive)
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const timer = clock.after(ms, done)
    signal?.addEventListener('abort', done, { once: true })
  })
}
