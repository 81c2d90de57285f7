import { MillraceError } from '../errors/millrace-error.ts'
import type { QueueSpec } from './transport.ts'

/** What the queue has and the spec does not ask for, in words: for `DeclareReport.kept`. */
export function keptOf(
  { name, subscriptions, order }: QueueSpec,
  has: Pick<QueueSpec, 'subscriptions' | 'order'>,
): readonly string[] {
  const kept = has.subscriptions
    .filter(
      (own) => !subscriptions.some(({ topic, pattern }) => own.topic === topic && own.pattern === pattern),
    )
    .map(({ topic, pattern }) => `'${name}' subscribes to '${pattern}' of topic '${topic}'`)
  if (has.order !== order) kept.push(`'${name}' has ${has.order ? 'order by key' : 'no order by key'}`)
  return kept
}

/**
 * What every `open` checks: a queue keeps the order that it was made with.
 * @throws MillraceError INVALID_OPTION
 */
export function checkOrder(queue: string, made: boolean, wished: boolean): void {
  if (made === wished) return
  const message = `\`order\` of the queue '${queue}' cannot change: it was made ${made ? 'with' : 'without'} order by key`
  throw new MillraceError('INVALID_OPTION', message)
}
