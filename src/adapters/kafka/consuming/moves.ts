import type { KafkaEvent } from './kafka-event.ts'
import type { MoveNote } from '../records/headers.ts'
import type { NewRecord } from '../producing/producing.ts'
import { shortWait, type QueueTopics } from '../queues/queue-topics.ts'

/** The record that carries an event into a topic of its queue where it waits until it is due. */
export function onwards(event: KafkaEvent, note: MoveNote, topics: QueueTopics, now: number): NewRecord {
  const rest = (note.due ?? 0) - now
  const tier = rest > shortWait ? topics.tiers.find(({ ms }) => ms <= rest) : undefined
  return {
    topic: tier?.topic ?? topics.retry,
    key: event.key,
    value: event.record.value ?? undefined,
    headers: event.moved(note),
    partition: tier === undefined ? event.home : 0,
  }
}

/** A dead letter. Its key names this very death: if it is written twice, the second takes the place of the first. */
export function letterOf(event: KafkaEvent, record: string, topics: QueueTopics): NewRecord {
  return {
    topic: topics.dead,
    key: `${event.lane}:${event.offset}:${event.from.topicId}`,
    value: event.record.value ?? new Uint8Array(),
    headers: event.moved({ record }),
    partition: 0,
  }
}
