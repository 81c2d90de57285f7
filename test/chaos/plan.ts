import { dice } from './dice.ts'

/*
 * What is published and what its handlers do, decided by the seed alone. How fast it goes, and what the processes are in
 * the middle of when they are killed, is the machine's.
 */

export const types = ['chaos.common', 'chaos.rare'] as const

/** What one call of publish carries. Calls of one stream follow each other, and keys belong to one stream. */
export interface PlannedCall {
  readonly events: readonly PlannedEvent[]
  /** Milliseconds to wait before it. */
  readonly pause: number
  /**
   * How its transaction ends, where it has one. Rolled back, it is not repeated. The others are committed at last; at the first
   * COMMIT somebody ends the connection (cut), or the process dies (killed).
   */
  readonly end: 'committed' | 'rolled back' | 'cut' | 'killed'
}

export interface PlannedEvent {
  readonly id: string
  readonly type: (typeof types)[number]
  readonly key?: string
  /** Milliseconds. */
  readonly delay?: number
}

const keysOfStream = 4

export function callOf(seed: number, stream: number, call: number): PlannedCall {
  const { next, between } = dice(seed, 'call', stream, call)
  const pause = between(50, 500)
  const count = next() < 0.7 ? 1 : between(2, 6)
  const events = Array.from({ length: count }, (_, i): PlannedEvent => {
    const [rare, keyed, delayed] = [next() < 0.2, next() < 0.8, next() < 0.05]
    return {
      id: `s${stream}-c${call}-e${i}`,
      type: rare ? 'chaos.rare' : 'chaos.common',
      ...(keyed && { key: `s${stream}-k${between(0, keysOfStream - 1)}` }),
      ...(delayed && { delay: next() < 0.8 ? between(1, 2_000) : between(2_000, 12_000) }),
    }
  })
  const ends = next()
  const disturbed = ends < 0.06 ? 'cut' : ends < 0.065 ? 'killed' : 'committed'
  return { events, pause, end: ends > 0.9 ? 'rolled back' : disturbed }
}

/** What an event carries. */
export interface ChaosData {
  readonly of: string
  /** It took the place of a dead letter's event. */
  readonly replaced?: boolean
}

/** How one queue's handler deals with one event. */
export interface Conduct {
  /** Runs that fail, from the first on. */
  readonly failures: number
  /** The wait that the handler asks for when it fails, in milliseconds; undefined: that of the queue. */
  readonly retryIn: number | undefined
  /** Its last failure is `fatal`. */
  readonly fatal: boolean
  /** Put off once, for so many milliseconds. */
  readonly defer: number | undefined
  /** Kills the process: never, once, or whichever takes it. */
  readonly poison: 'never' | 'once' | 'always'
  /** How long a run takes, in milliseconds, and whether it heeds its signal. */
  readonly takes: number
  readonly heeds: boolean
}

/** Handler runs before an event is a dead letter. */
export const attempts = 4
/** The wait between them, in milliseconds. */
export const backoff = 300

export function conductOf(seed: number, queue: string, id: string): Conduct {
  const { next, between } = dice(seed, 'conduct', queue, id)
  const [fails, waits, slow, poison] = [next(), next(), next(), next()]
  return {
    failures: fails < 0.005 ? attempts : fails < 0.08 ? between(1, 2) : 0,
    fatal: fails > 0.01 && fails < 0.015,
    retryIn: waits < 0.2 ? between(1, 1_500) : undefined,
    defer: waits > 0.97 ? between(1, 1_500) : undefined,
    takes: slow < 0.01 ? between(500, 2_500) : slow < 0.5 ? between(1, 20) : 0,
    heeds: next() < 0.5,
    poison: poison < 0.000_15 ? 'always' : poison < 0.000_5 ? 'once' : 'never',
  }
}

/** How it deals with an event whose dead letter was put back, and what was wrong with it mended. */
export const cured: Conduct = {
  failures: 0,
  retryIn: undefined,
  fatal: false,
  defer: undefined,
  takes: 5,
  heeds: true,
  poison: 'never',
}

/** When a relay that sends the event dies: before the transport has it, or before the outbox knows that. Once. */
export function relayDies(seed: number, id: string): 'before' | 'after' | undefined {
  const chance = dice(seed, 'relay', id).next()
  return chance < 0.001 ? 'before' : chance < 0.002 ? 'after' : undefined
}
