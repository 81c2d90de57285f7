import type { Sent } from './feed.ts'
import type { Entry } from './ledger.ts'

/** A dead letter, as far as the accounts need it. */
export interface Letter {
  readonly queue: string
  /** What `millrace dead` knows it by. */
  readonly name: string
  /** Of its event; undefined if that cannot be decoded. */
  readonly id: string | undefined
  readonly type: string | undefined
  readonly attempts: number
  readonly message: string
}

/** Everything the accounts are made from. */
export interface Evidence {
  readonly sent: readonly Sent[]
  /** The patterns that each queue subscribes to. */
  readonly queues: ReadonlyMap<string, readonly string[]>
  readonly handled: readonly Entry[]
  readonly dead: readonly Letter[]
  /** How many events, of whatever origin, each queue has not settled yet. */
  readonly waiting: ReadonlyMap<string, number>
}

type Outcome = 'handled' | 'dead' | 'missing'

export interface QueueAccount {
  readonly queue: string
  readonly patterns: readonly string[]
  /** What became in this queue of each event sent that it subscribes to, by event id. */
  readonly outcomes: ReadonlyMap<string, Outcome>
  /** Failed attempts that were followed by another one. */
  readonly retries: number
  /** The dead letters of the events sent. */
  readonly dead: readonly Letter[]
  /** How many dead letters of other events the queue holds. */
  readonly otherDead: number
  /** Events, of whatever origin, that the queue has not settled yet. */
  readonly waiting: number
}

/** What became of the events sent, each counted once: handled + dead + unaccounted = sent. */
export interface Accounts {
  readonly sent: number
  readonly accepted: number
  /** Handled by every queue that subscribes to it. */
  readonly handled: number
  /** The same, but that at least one of the queues holds its dead letter instead. */
  readonly dead: number
  /** At least one of the queues has neither handled it nor holds its dead letter; or no queue subscribes to it. */
  readonly unaccounted: number
  readonly queues: readonly QueueAccount[]
}

/** Looks for every event sent in every queue that subscribes to it. */
export function account(evidence: Evidence): Accounts {
  const { sent } = evidence
  const queues = [...evidence.queues].map(([queue, patterns]) => accountOf(queue, patterns, evidence))
  const totals = { handled: 0, dead: 0, unaccounted: 0 }
  for (const { id } of sent) {
    const outcomes = queues.flatMap((queue) => queue.outcomes.get(id) ?? [])
    if (outcomes.length === 0 || outcomes.includes('missing')) totals.unaccounted++
    else if (outcomes.includes('dead')) totals.dead++
    else totals.handled++
  }
  return { sent: sent.length, accepted: sent.filter(({ accepted }) => accepted).length, ...totals, queues }
}

function accountOf(
  queue: string,
  patterns: readonly string[],
  { sent, handled, dead, waiting }: Evidence,
): QueueAccount {
  const expected = sent.filter(({ type }) => patterns.some((pattern) => matches(pattern, type)))
  const ids = new Set(expected.map(({ id }) => id))
  const entries = handled.filter((entry) => entry.queue === queue && ids.has(entry.id))
  const held = dead.filter((letter) => letter.queue === queue)
  const letters = held.filter(({ id }) => id !== undefined && ids.has(id))
  const attempts = new Map([
    ...entries.map(({ id, attempt }) => [id, attempt] as const),
    ...letters.map(({ id = '', attempts: runs }) => [id, runs] as const),
  ])
  const deadIds = new Set(letters.map(({ id }) => id))
  const outcomeOf = (id: string): Outcome =>
    deadIds.has(id) ? 'dead' : attempts.has(id) ? 'handled' : 'missing'
  return {
    queue,
    patterns,
    outcomes: new Map([...ids].map((id) => [id, outcomeOf(id)])),
    retries: [...attempts.values()].reduce((sum, runs) => sum + runs - 1, 0),
    dead: letters,
    otherDead: held.length - letters.length,
    waiting: waiting.get(queue) ?? 0,
  }
}

function matches(pattern: string, type: string): boolean {
  if (pattern === '*') return true
  return pattern.endsWith('.*') ? type.startsWith(pattern.slice(0, -1)) : pattern === type
}
