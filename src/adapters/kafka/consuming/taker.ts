import type { Notice } from '../../../contract/transport.ts'
import type { KafkaEvent } from './kafka-event.ts'

/** What a consumer needs of a session. */
export interface Taker {
  notice(notice: Notice): void
  revoke(lanes: readonly string[], deadline: number): Promise<void>
  lose(events: readonly KafkaEvent[]): void
}
