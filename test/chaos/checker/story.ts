import type { PublishOutcome } from '../../../src/index.ts'
import { outboxQueue } from '../../../src/publish/outbox-queue.ts'
import type { Answer, Ending, Entry, Happening, PublishedEvent } from '../history.ts'
import type { ChaosQueue } from '../queues.ts'
import { check } from './check.ts'
import type { Evidence } from './facts.ts'

const queues: readonly ChaosQueue[] = [
  { name: 'any', types: ['t.a', 't.b'], order: 'none' },
  { name: 'only-b', types: ['t.b'], order: 'none' },
]

interface ClaimOf {
  readonly id: string
  readonly queue?: string
  readonly attempt?: number
  readonly lapsed?: boolean
}

interface RunOf extends ClaimOf {
  readonly key?: string
  readonly type?: string
  /** none: its process died before it heard of one, or was told nothing. */
  readonly answer?: 'done' | 'gone' | 'lost' | 'none'
  readonly settledAs?: Answer['as']
  readonly replaced?: boolean
}

const settlementFor = {
  ok: 'ack',
  failed: 'retry',
  fatal: 'dead',
  deferred: 'release',
  stopped: 'release',
  aborted: 'retry',
} as const

/** A made-up history, told from one moment to the next. Times are seconds from its beginning; the wall clock runs with them. */
export class Story {
  readonly #entries: Entry[] = []
  #evidence: Omit<Evidence, 'entries'> = {
    queues: [queues[0]!],
    features: { settlement: 'confirmed', attempts: 'exact', leases: 'timed', delayClock: 'machine' },
    attempts: 3,
    lease: 2_000,
    settling: 2_000,
    retryClock: 'monotonic',
  }
  #runs = 0
  #calls = 0

  /** What the system promises, and how its queue keeps order. */
  on(change: {
    order?: ChaosQueue['order']
    settlement?: 'recorded'
    attempts?: 'failures'
    rare?: true
    delayClock?: 'server'
    /** What is published goes into an outbox on a server. */
    outbox?: true
  }): this {
    const { queues: given, features, ...rest } = this.#evidence
    this.#evidence = {
      queues: [{ ...given[0]!, order: change.order ?? 'none' }, ...(change.rare ? [queues[1]!] : [])],
      features: {
        settlement: change.settlement ?? features.settlement,
        attempts: change.attempts ?? features.attempts,
        leases: change.settlement === 'recorded' ? 'session' : features.leases,
        delayClock: change.delayClock ?? features.delayClock,
      },
      ...rest,
      retryClock: change.settlement === 'recorded' ? 'wall' : rest.retryClock,
      ...(change.outbox && {
        outbox: {
          ...rest,
          queues: [{ name: outboxQueue.name, types: ['t.a', 't.b'], order: 'none' }],
          features: { ...features, delayClock: 'server' },
          lease: 30_000,
        },
      }),
    }
    return this
  }

  note(at: number, by: string, happening: Happening): this {
    this.#entries.push({ ...happening, by, at: at * 1_000 })
    return this
  }

  /** Publishes from `at` until `until`; results: taken, unless said otherwise; none: there is no answer. */
  publish(
    at: number,
    until: number,
    events: readonly (string | PublishedEvent)[],
    results: readonly PublishOutcome[] | 'none' = events.map(() => 'taken'),
  ): this {
    const call = `call ${++this.#calls}`
    const described = events.map((event) => (typeof event === 'string' ? { id: event, type: 't.a' } : event))
    this.note(at, 'publisher', { what: 'publishing', call, events: described })
    return results === 'none' ? this : this.note(until, 'publisher', { what: 'published', call, results })
  }

  /** Publishes in a transaction that is rolled back. Without an answer if there is no `until`. */
  rollBack(at: number, until: number | undefined, id: string): this {
    const call = `call ${++this.#calls}`
    const events = [{ id, type: 't.a' }]
    this.note(at, 'publisher', { what: 'publishing', call, events, rolledBack: true })
    if (until === undefined) return this
    return this.note(until, 'publisher', { what: 'published', call, results: ['rejected'] })
  }

  /**
   * A run by the process, claimed and begun at `at`, ended `until` as said; without an end if not. The system has done at once
   * what it was told of it, if it gives no other answer.
   */
  run(by: string, event: string | RunOf, at: number, until?: number, as: Ending = 'ok', wait?: number): this {
    const {
      id,
      key,
      type = 't.a',
      queue = 'any',
      attempt = 1,
      answer = 'done',
      settledAs,
      replaced = false,
      ...claimed
    }: RunOf = typeof event === 'string' ? { id: event } : event
    const run = this.#claim(by, at, { id, attempt, queue, ...claimed })
    const named = { run, queue, id, type, ...(key !== undefined && { key }) }
    this.note(at, by, { what: 'start', ...named, attempt, replaced, now: this.#now(by, at) })
    if (until === undefined) return this
    const waits = wait === undefined ? {} : { wait: wait * 1_000 }
    this.note(until, by, { what: 'end', run, as, ...waits, now: this.#now(by, until) })
    if (answer === 'none') return this
    const dies = as === 'failed' && attempt >= this.#evidence.attempts
    const answers = [{ run, as: settledAs ?? (dies ? 'dead' : settlementFor[as]), result: answer }]
    return this.note(until, by, { what: 'settled', answers })
  }

  /** Handed out to the process, and not started. */
  claim(by: string, at: number, event: ClaimOf): this {
    this.#claim(by, at, event)
    return this
  }

  #claim(by: string, at: number, { id, queue = 'any', attempt = 1, lapsed = false }: ClaimOf): number {
    const run = ++this.#runs
    this.note(at, by, { what: 'claimed', queue, events: [{ run, id, attempt, lapsed }] })
    return run
  }

  /** An orderly stop: handlers have `timeout` seconds, then what they have goes back; `keep` says what is kept, by the number of its run. */
  stop(by: string, at: number, timeout: number, keep: readonly number[] = []): this {
    const parted = at + timeout + 0.5
    return this.note(at, by, { what: 'stopping', timeout: timeout * 1_000 })
      .note(parted, by, { what: 'parting', queue: 'any', keep })
      .note(parted, by, { what: 'stopped' })
  }

  kill(of: string, at: number): this {
    this.note(at, 'harness', { what: 'killed', of })
    return this.note(at + 0.01, 'harness', { what: 'gone', of, code: null, signal: 'SIGKILL' })
  }

  freeze(of: string, at: number, until: number): this {
    return this.note(at, 'harness', { what: 'frozen', of }).note(until, 'harness', { what: 'thawed', of })
  }

  stall(by: string, at: number, until: number): this {
    return this.note(until, by, { what: 'stalled', ms: (until - at) * 1_000 })
  }

  /** Sets its wall clock by so many seconds. */
  step(by: string, at: number, seconds: number): this {
    return this.note(at, by, { what: 'stepped', ms: seconds * 1_000 })
  }

  /** By the wall clock of the process, which was stepped before it is told what happened then. */
  #now(by: string, at: number): number {
    const steps = this.#entries.flatMap((entry) =>
      entry.what === 'stepped' && entry.by === by && entry.at <= at * 1_000 ? [entry.ms] : [],
    )
    return steps.reduce((now, ms) => now + ms, at * 1_000)
  }

  /** Puts dead letters back. Without an answer if there is no `until`; `count`: what the answer is, all if not said. */
  redrive(
    at: number,
    until: number | undefined,
    ids: readonly string[],
    { count = ids.length, replaces = false }: { count?: number; replaces?: boolean } = {},
  ): this {
    const call = `redrive ${++this.#calls}`
    this.note(at, 'operator', { what: 'redriving', call, queue: 'any', ids, replaces })
    return until === undefined ? this : this.note(until, 'operator', { what: 'redriven', call, count })
  }

  disturb(at: number, until: number): this {
    return this.note(at, 'harness', { what: 'disturbed', how: 'cut' }).note(until, 'harness', {
      what: 'whole',
    })
  }

  dead(id: string, at: number, queue = 'any'): this {
    return this.note(at, 'harness', { what: 'letter', queue, id })
  }

  judge(): ReturnType<typeof check> {
    return check({ ...this.#evidence, entries: this.#entries })
  }

  /** The rules that were broken, each with the events concerned. */
  get broken(): readonly string[] {
    return this.judge().violations.map(({ rule, ids }) => [rule, ...ids].join(' '))
  }
}

/** An event of a key, for `publish` and, with more, for `run`. */
export function keyed<const T extends object = {}>(
  id: string,
  more?: T,
): { id: string; type: 't.a'; key: 'k' } & T {
  return { id, type: 't.a', key: 'k', ...(more as T) }
}
