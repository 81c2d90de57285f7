import { milliseconds, type Duration } from '../clock/duration.ts'
import type { TransactionStore } from '../contract/transaction-types.ts'
import type { QueueSpec, Subscription, Transport } from '../contract/transport.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import type { CatalogRuntime } from '../event/catalog.ts'
import { checkName, checkPattern, defaultTopic, matches } from '../event/names.ts'
import { defaultRetry, type Backoff, type RetryPolicy } from './outcome.ts'

/** How a queue takes its events. All of it can differ between two processes of one queue, but `order` and `types` should not. */
export interface QueueOptions {
  /** Handlers running at once in this process. Default 16. A batch counts as one. */
  concurrency?: number
  /**
   * Events taken ahead, running ones included. Default: twice the concurrency, and up to two of the transport's claims while
   * handlers are quick. Of large events fewer are taken: about 32 MiB, or as many as may run at once if that is more.
   */
  prefetch?: number
  /** For how long an event is this process's without renewal; it is renewed by itself. Default 30 s. */
  lease?: Duration
  /** A handler that runs longer has its signal aborted, and failed. Default 15 min. */
  maxHandling?: Duration
  /**
   * 'none' (default), or events of one key one after the other. `onRetry: 'park'` (default where the transport can) holds a
   * key back while one of its events waits for its retry; 'pass' lets the others pass.
   */
  order?: 'none' | { readonly by: 'key'; readonly onRetry?: 'park' | 'pass' }
  /** `attempts`: handler runs, the first included, before an event becomes a dead letter; default 25. `backoff`: default exponential(). */
  retry?: { readonly attempts?: number; readonly backoff?: Backoff }
  /**
   * Lets the queue rest in this process while its handler fails all the time: after 20 failures in a row, of at least 10 events and
   * within 30 s, one event is tried now and then until one succeeds. Default true.
   */
  breaker?: boolean
  /** Events this process has no handler for: tried again by the policy (default), made dead letters, or acknowledged. */
  unhandled?: 'retry' | 'dead-letter' | 'skip'
  /** For a queue that is new: 'now' (default), or also what was published before and is still there. */
  from?: 'now' | 'beginning'
  /** Subscribe to these patterns instead of those of the handlers. */
  types?: readonly string[]
  /** Take these topics whole, whatever the types. */
  topics?: readonly string[]
  /** Handler, its publishes and the acknowledgement as one commit. Needs a transport with transactions. */
  transactional?: boolean
}

/** Options with every default in place. */
export interface QueueSettings {
  readonly concurrency: number
  readonly prefetch: number | undefined
  readonly lease: number
  readonly maxHandling: number
  readonly order: boolean
  readonly onRetry: 'park' | 'pass' | undefined
  readonly retry: RetryPolicy
  readonly breaker: boolean
  readonly unhandled: 'retry' | 'dead-letter' | 'skip'
  readonly from: 'now' | 'beginning'
  readonly types: readonly string[] | undefined
  readonly topics: readonly string[] | undefined
  readonly transactional: boolean
}

const shortestLease = 50

/** @throws MillraceError INVALID_OPTION, INVALID_NAME, INVALID_PATTERN */
export function settingsOf(options: QueueOptions): QueueSettings {
  const order = options.order ?? 'none'
  const lease = atLeast(shortestLease, milliseconds(options.lease ?? 30_000, 'lease'), 'lease')
  if (order !== 'none' && order?.by !== 'key')
    throw new MillraceError('INVALID_OPTION', "Expected `order` to be 'none' or { by: 'key' }")
  if (options.retry?.backoff !== undefined && typeof options.retry.backoff !== 'function')
    throw new MillraceError('INVALID_OPTION', 'Expected `retry.backoff` to be a function')
  for (const pattern of listOf(options.types, 'types')) checkPattern(pattern)
  for (const topic of listOf(options.topics, 'topics')) checkName(topic, 'topic')
  return {
    concurrency: whole(options.concurrency ?? 16, 'concurrency'),
    prefetch: options.prefetch === undefined ? undefined : whole(options.prefetch, 'prefetch'),
    lease,
    maxHandling: atLeast(1, milliseconds(options.maxHandling ?? '15m', 'maxHandling'), 'maxHandling'),
    order: order !== 'none',
    onRetry:
      order === 'none' ? undefined : oneOf(order.onRetry, ['park', 'pass', undefined], 'order.onRetry'),
    retry: {
      attempts: whole(options.retry?.attempts ?? defaultRetry.attempts, 'retry.attempts'),
      backoff: options.retry?.backoff ?? defaultRetry.backoff,
    },
    breaker: options.breaker ?? true,
    unhandled: oneOf(options.unhandled ?? 'retry', ['retry', 'dead-letter', 'skip'], 'unhandled'),
    from: oneOf(options.from ?? 'now', ['now', 'beginning'], 'from'),
    types: options.types,
    topics: options.topics,
    transactional: options.transactional ?? false,
  }
}

function atLeast(least: number, ms: number, name: string): number {
  if (ms >= least) return ms
  throw new MillraceError('INVALID_OPTION', `Expected \`${name}\` to be at least ${least} ms, got ${ms}`)
}

/** A text would be taken letter by letter. */
function listOf(value: readonly string[] | undefined, name: string): readonly string[] {
  if (value === undefined || Array.isArray(value)) return value ?? []
  throw new MillraceError(
    'INVALID_OPTION',
    `Expected \`${name}\` to be an array, got ${JSON.stringify(value)}`,
  )
}

export function whole(value: number, name: string): number {
  if (Number.isInteger(value) && value >= 1) return value
  throw new MillraceError(
    'INVALID_OPTION',
    `Expected \`${name}\` to be a whole number of at least 1, got ${String(value)}`,
  )
}

function oneOf<T>(value: T, allowed: readonly T[], name: string): T {
  if (allowed.includes(value)) return value
  throw new MillraceError(
    'INVALID_OPTION',
    `Expected \`${name}\` to be one of ${allowed.filter(Boolean).join(', ')}, got ${String(value)}`,
  )
}

/** What a queue asks of its transport. @throws MillraceError QUEUE_EMPTY, TOPIC_AMBIGUOUS */
export function specOf(
  name: string,
  settings: QueueSettings,
  patterns: readonly string[],
  catalog: CatalogRuntime | undefined,
): QueueSpec {
  const types = settings.types ?? (settings.topics === undefined ? patterns : ['*'])
  const subscriptions: Subscription[] = []
  for (const pattern of types) {
    for (const topic of settings.topics ?? topicsOf(pattern, catalog)) subscriptions.push({ topic, pattern })
  }
  if (subscriptions.length === 0)
    throw new MillraceError('QUEUE_EMPTY', `The queue '${name}' would subscribe to nothing`)
  return { name, subscriptions, from: settings.from, order: settings.order }
}

/** The topics in which events of this pattern are published. */
function topicsOf(pattern: string, catalog: CatalogRuntime | undefined): readonly string[] {
  if (pattern === '*') return ['*']
  const topicOf = catalog === undefined ? defaultTopic : (type: string): string => catalog.topicOf(type)
  const named = catalog?.types.filter((type) => matches(pattern, type)).map(topicOf) ?? []
  if (named.length > 0) return [...new Set(named)]
  // A prefix stands for types nobody listed: they share the topic of any type under it.
  return [topicOf(pattern.endsWith('.*') ? pattern.slice(0, -1) + 'x' : pattern)]
}

/** @throws MillraceError UNSUPPORTED, TRANSACTION_UNSUPPORTED */
export function checkAgainst(
  name: string,
  settings: QueueSettings,
  { features, system }: Transport,
  outbox: Pick<TransactionStore, 'features'> | undefined,
): void {
  if (settings.order && features.order === 'none') {
    throw new MillraceError(
      'UNSUPPORTED',
      `The queue '${name}' wants order by key, which ${system} cannot keep`,
    )
  }
  if (settings.onRetry !== undefined && !features.onRetry.includes(settings.onRetry)) {
    throw new MillraceError(
      'UNSUPPORTED',
      `The queue '${name}' wants onRetry '${settings.onRetry}'; ${system} has ${features.onRetry.join(', ')}`,
    )
  }
  if (settings.transactional && (outbox?.features ?? features).transactions !== true) {
    throw new MillraceError(
      'TRANSACTION_UNSUPPORTED',
      `The queue '${name}' is transactional, which ${system} cannot be`,
    )
  }
}
