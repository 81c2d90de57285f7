import type { QueueSpec, SessionOptions, Transport, TransportPublishOptions } from '../contract/transport.ts'
import type { Outgoing } from '../event/outgoing.ts'
import { createEvent, millrace, type App, type Logger } from '../index.ts'
import { numbers, type Bench } from './harness.ts'

/*
 * What the cases are written in that run the promises through an app, as users see them. A driver that keeps its
 * contract gets these from the engine; they fail where the two do not fit together.
 */

export interface Opened {
  readonly app: App
  /** The lines that the app logged. */
  readonly lines: readonly string[]
}

export function open(bench: Bench, transport = bench.transport): Opened {
  const lines: string[] = []
  const note = (line: unknown): void => void lines.push(String(line))
  const logger: Logger = { debug: note, info: note, warn: note, error: note }
  return { app: millrace({ transport: borrowed(transport), logger }), lines }
}

/** Publishes numbers to the topic of the bench, each with the key that `keyOf` gives. */
export function publishNumbers(
  app: App,
  bench: Bench,
  count: number,
  keyOf?: (n: number) => string,
): Promise<void> {
  return app.publish(
    numbers(count).map((n) =>
      createEvent(bench.type('numbered'), n, { topic: bench.topic, ...(keyOf && { key: keyOf(n) }) }),
    ),
  )
}

/** Collects values until there are so many. */
export class Inbox<T> {
  readonly values: T[] = []
  readonly full: Promise<void>
  readonly #count: number
  #done!: () => void

  constructor(count: number) {
    this.#count = count
    this.full = new Promise((resolve) => {
      this.#done = resolve
    })
  }

  add(value: T): void {
    this.values.push(value)
    if (this.values.length === this.#count) this.#done()
  }
}

/** A promise that somebody else settles. */
export function gate(): { readonly passed: Promise<void>; open(): void } {
  let pass!: () => void
  const passed = new Promise<void>((resolve) => {
    pass = resolve
  })
  return { passed, open: pass }
}

/** A transport that an app cannot close: a case wants to see what the app left behind. */
function borrowed(transport: Transport): Transport {
  const nothing = async (): Promise<void> => {}
  return {
    system: transport.system,
    features: transport.features,
    admin: transport.admin,
    declare: (queues: readonly QueueSpec[]) => transport.declare(queues),
    publish: (events: readonly Outgoing[], options?: TransportPublishOptions) =>
      transport.publish(events, options),
    open: (queue: string, options: SessionOptions) => transport.open(queue, options),
    close: nothing,
    [Symbol.asyncDispose]: nothing,
  }
}
