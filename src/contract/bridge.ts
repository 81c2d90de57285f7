import type { MillraceEvent } from '../event/event.ts'

/** Carries published events to where they go, in place of a transport. Its publish rejects if it knows that one was not taken. */
export interface Bridge {
  publish(events: readonly MillraceEvent[]): Promise<void>
  /** Resolves when everything published so far has arrived or was reported as failed. */
  drain(): Promise<void>
  close(): Promise<void>
}
