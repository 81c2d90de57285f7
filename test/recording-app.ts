import type { Delivery } from '../src/contract/delivery.ts'
import { ingressTarget, type IngressSource } from '../src/contract/ingress.ts'
import type { MillraceEvent } from '../src/event/event.ts'
import { defaultTopic, matches } from '../src/event/names.ts'
import { encodeEvent, type Outgoing } from '../src/event/outgoing.ts'

export interface RecordingApp extends IngressSource {
  /** What was published, encoded: as a transport would have got it. */
  readonly published: readonly Outgoing[]
  /** How many times publish was called. */
  readonly calls: number
  /** What was logged: `warn HTTP_...`. */
  readonly log: readonly string[]
  /** From now on it takes no more. */
  overload(): void
}

export interface RecordingOptions {
  /** What publish fails with. */
  readonly failure?: unknown
  readonly queues?: readonly {
    readonly name: string
    readonly pattern: string
    readonly handle: (delivery: Delivery) => Promise<void>
  }[]
}

/**
 * Stands in for an app where only its side towards an ingress matters. There is no transport: publish encodes the events
 * as an app does, then keeps them; deliver leaves it to the queue's `handle` to settle the delivery.
 */
export function recordingApp({ failure, queues = [] }: RecordingOptions = {}): RecordingApp {
  const published: Outgoing[] = []
  const log: string[] = []
  let calls = 0
  let overloaded = false
  const line = (level: string) => (message: unknown) => void log.push(`${level} ${String(message)}`)
  return {
    published,
    log,
    get calls() {
      return calls
    },
    overload: () => void (overloaded = true),
    [ingressTarget]: {
      get overloaded() {
        return overloaded
      },
      async publish(events: readonly MillraceEvent[]) {
        calls++
        const outgoing = events.map(encodeEvent)
        if (failure !== undefined) throw failure
        published.push(...outgoing)
      },
      async deliver(delivery) {
        await queues.find(({ name }) => name === delivery.queue)?.handle(delivery)
      },
      queuesFor: (type) => queues.filter(({ pattern }) => matches(pattern, type)).map(({ name }) => name),
      topicOf: defaultTopic,
      logger: { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') },
    },
  }
}
