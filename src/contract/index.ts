/*
 * millrace/contract: what somebody needs who writes a transport (docs/writing-a-transport.md leads through it), a store or locks.
 */
export type { Clock, Timer } from '../clock/clock.ts'
export { matches } from '../event/names.ts'
export { decodeHead, encodeHead } from '../event/head.ts'
export type { EventHead } from '../event/event.ts'
export type { Outgoing } from '../event/outgoing.ts'
export type { Raw } from '../event/payload.ts'
export { checkOrder, keptOf } from './declared.ts'
export { maxAhead } from './lanes.ts'
export { locksOn } from './locks-on.ts'
export type { AcquireOptions, Lock, LockOptions, Locks, LocksDriver, LocksFeatures, Taken } from './locks.ts'
export {
  checkReplacement,
  type DeadLetterRecord,
  type FailureNote,
  type FailureTrail,
} from './dead-letter.ts'
export type { Features } from './features.ts'
export { PublishError, type PublishOutcome } from './publish-error.ts'
export { storeOn } from './store-on.ts'
export type {
  Condition,
  DeleteOptions,
  Entry,
  PutOptions,
  PutResult,
  Store,
  StoreDriver,
  StoreFeatures,
  TouchOptions,
} from './store.ts'
export type {
  DeclareReport,
  ExchangeRequest,
  ExchangeResult,
  Notice,
  QueueSpec,
  Received,
  Session,
  SessionOptions,
  SettleResult,
  Settlement,
  Subscription,
  Transport,
  TransportPublishOptions,
} from './transport.ts'
export type { QueueCounts, StoredDeadLetter, TransportAdmin } from './transport-admin.ts'
export type { GivenOf, TakenOf, Transactions } from './transaction-types.ts'
