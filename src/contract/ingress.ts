import type { MillraceEvent } from '../event/event.ts'
import type { Delivery } from './delivery.ts'

/** Where an app keeps its ingress target: for ingresses, not for users. */
export const ingressTarget: unique symbol = Symbol.for('millrace.ingress')

/** Anything that events can be pushed into: an app. */
export interface IngressSource {
  readonly [ingressTarget]: IngressTarget
}

/** What an ingress (HTTP, a cloud function) needs of the app it pushes events into. The app satisfies it. */
export interface IngressTarget {
  /** Whether `publish` refuses for now because too much waits to be taken: who asks first need not read what it would refuse. */
  readonly overloaded: boolean
  /** Durably queued when it resolves. */
  publish(events: readonly MillraceEvent[]): Promise<void>
  /** Runs the handler of the delivery's queue in this process; resolves when the delivery is settled. */
  deliver(delivery: Delivery): Promise<void>
  /** The queues of this app that handle or subscribe to the type. */
  queuesFor(type: string): readonly string[]
  /** How the app tells topics from types, for events that carry none. */
  topicOf(type: string): string
  readonly logger: Logger | undefined
}

/** Takes console, pino, winston. */
export interface Logger {
  debug(...args: unknown[]): void
  info(...args: unknown[]): void
  warn(...args: unknown[]): void
  error(...args: unknown[]): void
}
