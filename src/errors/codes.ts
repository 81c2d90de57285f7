import { databaseCodes } from './database-codes.ts'
import { storeCodes } from './store-codes.ts'
import { toolCodes } from './tool-codes.ts'
import { transactionCodes } from './transaction-codes.ts'

/**
 * Every code that a public error or notice of millrace can carry. docs/errors.md is generated from this table
 * (`npm run docs:errors`), and a test keeps the two equal. A code is never reused with another meaning.
 */
export const errorCodes = {
  // events and catalogs
  INVALID_EVENT: {
    summary:
      'An event attribute is missing, of the wrong type, or not allowed (a type with `*`, an empty id, a bad date).',
    remedy: 'Correct the attribute that the message names.',
  },
  INVALID_OPTION: {
    summary: 'An option has a value that cannot work, such as a negative duration or a concurrency of 0.',
    remedy: 'Correct the option that the message names.',
  },
  TOPIC_AMBIGUOUS: {
    summary:
      'The type looks like a reverse-DNS name (`com.acme.order.placed`), whose first segment is no useful topic.',
    remedy:
      'Give `defineEvents(schemas, { topic: (type) => ... })`, or the option `topic` of this one event.',
  },
  UNKNOWN_TYPE: {
    summary: 'The type is not in the catalog that was given as `events`.',
    remedy: 'Add it to `defineEvents`, correct its spelling, or publish it from an app without a catalog.',
  },
  DATA_INVALID: {
    summary:
      'The data does not fit the schema of its type. The message lists the issues; `cause` holds them.',
    remedy: 'Correct the data, or the schema if the data is right.',
  },
  DATA_NOT_JSON: {
    summary: 'The data cannot travel as JSON: a BigInt, a cycle, a function, or a `toJSON` that throws.',
    remedy: 'Convert it before publishing (a BigInt to text), or publish a Uint8Array with a contentType.',
  },
  DECODE_FAILED: {
    summary: 'What arrived is not an event, or its data cannot be decoded (malformed JSON, bad UTF-8).',
    remedy: 'Look at the raw bytes of the dead letter; correct the sender; redrive with a replacement.',
  },
  EVENT_TOO_LARGE: {
    summary: 'The encoded event is larger than `features.maxBytes` of the transport.',
    remedy: 'Store the data elsewhere and publish a reference to it.',
  },
  // publishing
  PUBLISH_FAILED: {
    summary: 'Some events were not taken. `results` says for each: taken, rejected or unknown.',
    remedy: 'Publish those again that were not taken; use the same id where the outcome is unknown.',
  },
  PUBLISH_OVERLOADED: {
    summary:
      'The process publishes faster than the transport takes: 100,000 events or 256 MiB wait already. Nothing of this call was taken.',
    remedy:
      'Await publishes, many events in one call; publish again when those under way are done. Over HTTP the sender is told to come again.',
  },
  PUBLISH_ABORTED: {
    summary:
      'The signal given to publish was aborted. Events not yet handed over were not sent; for the others the outcome is unknown.',
    remedy: 'Publish again with the same id if the event still matters.',
  },
  ...transactionCodes,
  // building an app
  HANDLER_EXISTS: {
    summary: 'The queue already has a handler for this pattern.',
    remedy: 'Use another queue for a second handler: every queue gets its own copy of the event.',
  },
  QUEUE_EXISTS: {
    summary: 'The queue was already made with options; options can be given once.',
    remedy: 'Give the options at the first `app.queue(name, options)` and only the name afterwards.',
  },
  QUEUE_EMPTY: {
    summary: 'The queue has no handler, no `types` and no `topics`, so it would subscribe to nothing.',
    remedy: 'Add `.on(pattern, handler)`, or remove the queue.',
  },
  INVALID_NAME: {
    summary:
      "The name of a queue, a topic, a store or locks is empty, too long, has characters that some system refuses, or begins with `millrace.`, as millrace's own do.",
    remedy: 'Use 1 to 128 letters, digits, dots, dashes and underscores, beginning with a letter or digit.',
  },
  TOPIC_RESERVED: {
    summary: 'A queue has the topic for itself, or a new queue would need a topic of somebody else.',
    remedy: 'Choose another name for the topic, or for the queue that is new.',
  },
  INVALID_PATTERN: {
    summary: 'A pattern is not `*`, a type, or a prefix that ends in `.*`.',
    remedy: "Write `'order.placed'`, `'order.*'` or `'*'`.",
  },
  TOO_LATE: {
    summary: '`use`, `on` or `queue` was called after `start()`, or `use` after `on`.',
    remedy: 'Set the app up completely before it starts; put `use` before the first `on`.',
  },
  ALREADY_STARTED: {
    summary: '`start()` was called twice.',
    remedy: 'Start an app once; make a new one to start again.',
  },
  STOPPED: {
    summary:
      'The app, the transport, the store or the locks were stopped or closed, so they take no more calls.',
    remedy: 'Publish before `stop()`, or make a new app.',
  },
  UNKNOWN_QUEUE: {
    summary: 'No queue of this name exists.',
    remedy: 'Check the spelling with `app.queues()` or `millrace queues`.',
  },
  UNKNOWN_TRANSPORT: {
    summary: 'The scheme of the transport URL is not known.',
    remedy:
      'Use `memory:`, `sqlite:PATH`, `postgres://HOST/DATABASE` or `kafka://HOST:PORT`, or pass a transport instance.',
  },
  MISSING_PEER: {
    summary: 'The client library of this transport is not installed.',
    remedy: 'Install it with the command in the message.',
  },
  NODE_TOO_OLD: {
    summary: 'This Node.js is too old for millrace or for the transport.',
    remedy: 'Use Node.js 24.15 or newer, or 22.22.3 or newer in the 22 line.',
  },
  UNSUPPORTED: {
    summary: 'The transport cannot do what was asked (its `features` say so).',
    remedy: 'Choose another option or another transport; docs/transports says which can.',
  },
  HOOK_FAILED: {
    summary:
      'A function given to `onDeadLetter`, `onDeliveryFailure` or `onNotice` threw. No event is touched by that.',
    remedy: 'Correct the function; `cause` says what it threw.',
  },
  // handling
  HANDLER_FAILED: {
    summary: 'A handler failed (over HTTP: nothing more is told), or threw something that is not an Error.',
    remedy: 'Look at the log of the receiver; throw an Error.',
  },
  NO_HANDLER: {
    summary: 'The queue got an event that this process has no handler for.',
    remedy: 'Deploy the handler, or choose `unhandled: "skip"` or `"dead-letter"` for the queue.',
  },
  NEXT_NOT_AWAITED: {
    summary:
      'A middleware returned before the `next()` it had called was done. The event is settled only when it is.',
    remedy: 'Write `await next()` or `return next()`.',
  },
  NEXT_CALLED_TWICE: {
    summary:
      'A middleware called `next()` a second time before the first had ended, or after it had returned.',
    remedy: 'Await the first `next()` before another one, and never keep `next` for later.',
  },
  BATCH_CONTEXT: {
    summary: 'A batch handler asked its context for something that only single events have.',
    remedy: 'Use the events themselves, or a handler of single events.',
  },
  HANDLING_TIMEOUT: {
    summary:
      'The handler ran longer than `maxHandling`. Its signal was aborted and the run counted as a failure.',
    remedy: 'Raise `maxHandling`, call `ctx.extend`, or make the handler listen to `ctx.signal`.',
  },
  HANDLER_STUCK: {
    summary:
      'A handler did not end though its signal was aborted. At `maxHandling`: its event was taken from it and counted as failed, and its slot went to another; the handler goes on beyond `concurrency`, and keeps its memory. At a stop: its event keeps its lease, until that runs out. Either way its transaction, if its queue is transactional, was rolled back, and what it still runs there is refused.',
    remedy:
      'Pass `ctx.signal` to what the handler waits for, or give that a time limit. What never ends is only got rid of by a restart.',
  },
  TIMERS_LEAKED: {
    summary:
      'The process has more and more timers, in step with the runs of handlers: these leave some behind when they end. Each keeps its memory until it ends, an interval for ever. Only timers that keep the process alive are seen, and only if there are hundreds more for minutes; it is said again when there are twice as many.',
    remedy:
      'Clear in a `finally` what the handler starts, a time limit that loses its race as well; or use `AbortSignal.timeout(ms)`, which needs no clearing. A handler that waits gives what it waits for `ctx.signal`, or its timers go on after `maxHandling`.',
  },
  LEASE_LOST: {
    summary: 'The lease on the event ran out or was taken over, so somebody else may handle it now.',
    remedy:
      'Do not block the event loop for longer than the lease; raise `lease`; make the handler idempotent.',
  },
  CRASHED: {
    summary: 'The process that handled the event ended before it was settled, as often as `attempts` allows.',
    remedy: 'Find out why the process died on this event, then redrive it.',
  },
  BREAKER_OPEN: {
    summary:
      'The handlers of the queue failed 20 times in a row, so this process takes nothing from it but one event now and then, to try.',
    remedy:
      'Repair what the handlers need. The first success closes the breaker; so does a redrive of dead letters or `app.resume(queue)` in this process.',
  },
  BREAKER_CLOSED: {
    summary: 'The queue takes all its events again: one was handled, or somebody closed its breaker.',
    remedy: 'Nothing is to be done.',
  },
  ALREADY_SETTLED: {
    summary: 'The delivery was settled before; a delivery is settled once.',
    remedy: 'Call one of ack, retry, deadLetter or settle, once.',
  },
  STOPPING: {
    summary: 'The app is stopping; handlers see this as the reason of `ctx.signal`.',
    remedy: 'End the handler soon.',
  },
  // transports
  TRANSPORT_UNREACHABLE: {
    summary: 'The transport could not be opened or reached.',
    remedy: 'Check the URL, the path and the server; `cause` says what the driver saw.',
  },
  LOGIN_REFUSED: { summary: 'The system refuses the login.', remedy: 'Check name, password and mechanism.' },
  ...databaseCodes,
  WAKE_UP_DEGRADED: {
    summary:
      'The transport does not hear of new events, so it looks for them by itself, several times a second.',
    remedy:
      'SQLite on Linux: raise fs.inotify.max_user_watches. Postgres: connect past the pooler, or choose `wake: "interval"`. Events are only later, never lost.',
  },
  KAFKA_FAILED: { summary: 'Kafka reported another error.', remedy: '`cause` holds what the client says.' },
  REPLICATION_WEAK: {
    summary:
      'The brokers take a record as written when one of them has it, so a resolved publish can be lost with it.',
    remedy: 'Have three replicas of each topic and set `min.insync.replicas=2`.',
  },
  KEYS_UNDIVIDED: {
    summary:
      'With order by key, the partitions of the topics cannot be shared: no number above 1 divides the count of each, so one process has all keys.',
    remedy:
      'Give the topics of the queue counts that one number divides, such as 6 and 12; as many processes as that number then share the keys.',
  },
  TOPIC_GONE: {
    summary:
      'A topic that the queue reads is not there any more: somebody has deleted it. The others are read on.',
    remedy: 'Declare the queue again to have the topic made anew, or unbind the queue from it.',
  },
  REGISTRY_DAMAGED: {
    summary:
      'The topic `millrace.queues` holds a record that is none of millrace. It is passed over; all others count.',
    remedy: 'Find out who else writes into this topic, and let only applications of millrace do so.',
  },
  EVENTS_EXPIRED: {
    summary:
      'Kafka has deleted events that the queue had not handled: its place lies before the beginning of a topic.',
    remedy:
      'Stop all consumers of the queue, set its group to where it shall go on (`kafka-consumer-groups --reset-offsets`), and give the topic a longer retention.',
  },
  LOG_TRUNCATED: {
    summary: 'Brokers have lost the last records of a partition that a queue has read; it stands still.',
    remedy: 'Set the group to where it shall go on, as for EVENTS_EXPIRED, and publish again what is lost.',
  },
  LANE_PAUSED: {
    summary:
      'A part of the stream (a Kafka partition) has 10,000 events or 64 MiB behind one that is not settled, so it gives no more until that is. Other parts go on.',
    remedy:
      'Look at the event that the notice names: its key may wait for a long retry, or its handler not end. A shorter backoff, or `onRetry: "pass"`, holds up less.',
  },
  CONNECTION_LOST: {
    summary: 'An exchange with the transport failed; it is tried again with backoff.',
    remedy: 'See `cause`; nothing is lost.',
  },
  // dead letters
  DEAD_LETTER_NOT_FOUND: {
    summary: 'The queue has no dead letter with this id.',
    remedy: 'List them with `millrace dead list QUEUE`.',
  },
  DEAD_LETTER_UNREAD: {
    summary: 'A test ended with a dead letter that it never looked at.',
    remedy: 'Look at it with `t.dead(queue)`, or repair the handler.',
  },
  ...storeCodes,
  ...toolCodes,
} as const satisfies Record<string, { summary: string; remedy: string }>

export type ErrorCode = keyof typeof errorCodes
