export { millrace, type App, type AppOptions, type QueueStats } from './app.ts'
export { createPublisher, createReceiver } from './parts.ts'
export type { DeadLetter, DeadLetters } from './dead-letters.ts'
export type { Duration } from './clock/duration.ts'
export type { Bridge } from './contract/bridge.ts'
export type { Delivery } from './contract/delivery.ts'
export type { Features } from './contract/features.ts'
export type { Logger } from './contract/ingress.ts'
export { PublishError, type PublishOutcome } from './contract/publish-error.ts'
export type { PublishOptions } from './contract/publishing.ts'
export type { Notice, Transport } from './contract/transport.ts'
export { isMillraceError, MillraceError } from './errors/millrace-error.ts'
export { defineEvents, unchecked, type Catalog, type EventMap } from './event/catalog.ts'
export { createEvent, type EventOptions, type MillraceEvent } from './event/event.ts'
export { pipeline } from './pipeline/pipeline.ts'
export type { DeliveryFailure, Publisher } from './publish/publisher.ts'
export { constant, defer, exponential, fatal, linear, retryIn, type Backoff } from './receive/outcome.ts'
export type { Receiver } from './receive/receiver.ts'
export type {
  BatchOutcome,
  Context,
  EventOf,
  Handler,
  HandlerOf,
  Middleware,
  Next,
  Passed,
  Publish,
  Queue,
  QueueOptions,
} from './receive/typed.ts'
