import type { Clock } from './clock/clock.ts'
import type { TransactionStore } from './contract/transaction-types.ts'
import type { Transport } from './contract/transport.ts'
import type { EventPublisher } from './publish/publisher.ts'
import type { EventReceiver } from './receive/receiver.ts'

/**
 * For the test kit and the command line: puts an app on another transport or clock before it opens, and gives its parts.
 * @throws MillraceError TOO_LATE
 */
export const swapParts: unique symbol = Symbol.for('millrace.swap')
export interface Swappable {
  [swapParts](parts: SwappedParts): AppParts
}
export interface SwappedParts {
  readonly transport?: Transport | string
  readonly clock?: Clock
  /** In place of the outbox, or of the transactions of the transport. */
  readonly transactions?: TransactionStore
}
export interface AppParts {
  readonly publisher: EventPublisher
  readonly receiver: EventReceiver
  /** Where transactions are, if not in the transport. */
  readonly outbox: TransactionStore | undefined
}
/** For the command line: whether `app.fetch` checks who sends. What does not is kept on this machine. */
export const verifiesSenders: unique symbol = Symbol.for('millrace.verifies')
export interface Verifying {
  readonly [verifiesSenders]: boolean
}
/** For the command line: relays the outbox, and does nothing else. None if the app has no outbox. */
export const relayAlone: unique symbol = Symbol.for('millrace.relay')
export interface Relaying {
  readonly [relayAlone]: (() => Promise<void>) | undefined
}
