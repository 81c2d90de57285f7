import { expect } from 'vitest'
import { pause, systemClock, type Clock } from '../clock/clock.ts'
import type { ManualClock } from '../clock/manual-clock.ts'
import type { Features } from '../contract/features.ts'
import type {
  QueueSpec,
  Received,
  Session,
  SessionOptions,
  Settlement,
  Transport,
} from '../contract/transport.ts'
import type { StoredDeadLetter } from '../contract/transport-admin.ts'
import { createEvent, type EventOptions } from '../event/event.ts'
import { encodeEvent, type Outgoing } from '../event/outgoing.ts'
import { textOf } from '../event/payload.ts'
import { newName, nextTurn } from './time.ts'
import type { CallersTransaction, TransportUnderTest } from './under-test.ts'

export type { TransportUnderTest } from './under-test.ts'

/** One promise of the contract. `run` rejects if the transport does not keep it. */
export interface Case {
  readonly name: string
  /** Why the case does not apply to a transport of these features, tested this way; undefined if it does. */
  unless?(features: Features, under: TransportUnderTest): string | undefined
  run(bench: Bench): Promise<void>
}

type SpecOptions = Partial<Omit<QueueSpec, 'name'>>

/** A lease that runs out soon, in milliseconds, but not while a case works with it. */
export const shortLease = 300
const longLease = 30_000

/** What a case works with: one transport, names of its own, and waits that end. */
export class Bench {
  readonly transport: Transport
  /** Another instance on the same system where there can be one, else the same. */
  readonly other: Transport
  readonly clock: Clock
  /** The topic of the case's events. */
  readonly topic: string
  readonly #manual: ManualClock | undefined
  readonly #patience: number
  readonly #watch: number
  readonly #sessions: Session[] = []
  readonly #instances = new Map<string, Transport>()
  readonly #under: TransportUnderTest
  /** Transactions that a case has not ended. */
  readonly #begun = new Set<CallersTransaction>()

  private constructor(under: TransportUnderTest, transport: Transport, other: Transport) {
    this.transport = transport
    this.other = other
    this.#under = under
    this.#manual = under.clock
    this.clock = under.clock ?? systemClock
    this.#patience = under.patience ?? 10_000
    this.#watch = under.watch ?? 50
    this.topic = this.name('topic')
  }

  static async open(under: TransportUnderTest): Promise<Bench> {
    const transport = await under.open()
    return new Bench(under, transport, (await under.reopen?.()) ?? transport)
  }

  get features(): Features {
    return this.transport.features
  }

  /** Closes everything that a case left open. */
  async close(): Promise<void> {
    for (const caller of this.#begun) await caller.rollback()
    for (const session of this.#sessions) await session.close()
    await this.other.close()
    await this.transport.close()
  }

  /** A name that no other test of any run uses. */
  name(what: string): string {
    return newName(what)
  }

  /** A type of the case's topic. */
  type(name: string): string {
    return `${this.topic}.${name}`
  }

  event(name: string, data: unknown = { name }, options: EventOptions = {}): Outgoing {
    return encodeEvent(createEvent(this.type(name), data, { topic: this.topic, ...options }))
  }

  /** Events whose data is their number. */
  events(count: number, options: (i: number) => EventOptions = () => ({})): readonly Outgoing[] {
    return Array.from({ length: count }, (_, i) => this.event('numbered', i, options(i)))
  }

  spec(name: string, options: SpecOptions = {}): QueueSpec {
    return {
      name,
      subscriptions: [{ topic: this.topic, pattern: '*' }],
      from: 'now',
      order: false,
      ...options,
    }
  }

  /** Declares a queue of a new name that takes the whole topic, unless the options say otherwise. */
  async queue(what = 'queue', options: SpecOptions = {}): Promise<string> {
    const name = this.name(what)
    await this.transport.declare([this.spec(name, options)])
    return name
  }

  /** A session, closed at the end of the case if the case does not. */
  async session(
    queue: string,
    options: { order?: boolean; lease?: number; on?: Transport; transactions?: number } = {},
  ): Promise<Session> {
    const full: SessionOptions = {
      lease: options.lease ?? longLease,
      order: options.order ?? false,
      ...(options.transactions !== undefined && { transactions: options.transactions }),
      clock: this.clock,
      notice: () => {},
      onRevoke: () => {},
      onLost: () => {},
    }
    const session = await this.#instanceFor(queue, options.on).open(queue, full)
    this.#sessions.push(session)
    return session
  }

  /** Where instances share a queue by lanes, only sessions of one instance can get any event: there a queue stays with its first. */
  #instanceFor(queue: string, on = this.transport): Transport {
    const instance = (this.features.sharing === 'lane' ? this.#instances.get(queue) : undefined) ?? on
    this.#instances.set(queue, instance)
    return instance
  }

  /** A transaction of a caller, rolled back at the end of the case if the case does not end it. */
  async begin(): Promise<CallersTransaction> {
    const begun = await this.#under.begin?.()
    if (begun === undefined) throw new Error('Give `begin`: features.transactions says that there are some')
    const end = (how: () => unknown) => (): unknown => this.#begun.delete(caller) && how()
    const { transaction, commit, rollback } = begun
    const caller = { transaction, commit: end(commit), rollback: end(rollback) }
    this.#begun.add(caller)
    return caller
  }

  async publish(...events: readonly Outgoing[]): Promise<void> {
    await this.transport.publish(events)
  }

  /** Takes events until it has so many. Never asks for more; fails when they do not come in time, naming `what` was to come. */
  async receive(
    session: Session,
    count: number,
    from: 'normal' | 'lapsed' = 'normal',
    what = `${count} events`,
  ): Promise<readonly Received[]> {
    const received: Received[] = []
    await this.until(what, async () => {
      const missing = count - received.length
      const ask = from === 'normal' ? { max: missing } : { max: 0, lapsed: missing }
      received.push(...(await session.exchange({ settle: [], ...ask })).received)
      return received.length >= count ? 'done' : { waitFor: session, state: `came: ${shown(received)}` }
    })
    expect(received.length, 'an exchange gave more events than were asked for').toBe(count)
    return received
  }

  async receiveOne(session: Session, from: 'normal' | 'lapsed' = 'normal', what?: string): Promise<Received> {
    return (await this.receive(session, 1, from, what))[0] as Received
  }

  /** Takes and acknowledges events until there are so many. */
  async handle(session: Session, count: number, what?: string): Promise<readonly Received[]> {
    const received = await this.receive(session, count, 'normal', what)
    await this.settle(session, ...received.map((of): Settlement => ({ of, as: 'ack' })))
    return received
  }

  /** Settles and expects that each was done. */
  async settle(session: Session, ...list: readonly Settlement[]): Promise<void> {
    const results = (await session.settle(list)) ?? []
    expect(
      results.filter((result) => result !== 'done'),
      'a settlement was not done',
    ).toEqual([])
    await session.flush?.()
  }

  /** Expects that the session gets nothing, now and for a moment. */
  async nothing(session: Session, because: string): Promise<void> {
    const stop = AbortSignal.timeout(this.#watch)
    do {
      const { received } = await session.exchange({ settle: [], max: 10 })
      expect(received.map(dataOf), because).toEqual([])
      if (this.#manual !== undefined) return
      await Promise.all([this.#wait(session, stop), nextTurn()])
    } while (!stop.aborted)
  }

  /** How often `ready` resolves for a moment, at most `most` times. */
  async wakes(session: Session, most: number): Promise<number> {
    const stop = AbortSignal.timeout(this.#watch)
    let count = 0
    for (;;) {
      await this.#wait(session, stop)
      if (stop.aborted || ++count === most) return count
    }
  }

  /** Lets time pass by the clock of the transport: for leases and delays, whose length is what a case is about. */
  async pass(ms: number): Promise<void> {
    if (this.#manual === undefined) await pause(this.clock, ms)
    else this.#manual.advance(ms)
  }

  /** Repeats `step` until it is done, waiting in between for the session that it names. */
  async until(
    what: string,
    step: () => Promise<'done' | { readonly waitFor: Session | undefined; readonly state: string }>,
  ): Promise<void> {
    const end = performance.now() + this.#patience
    for (let result = await step(); result !== 'done'; result = await step()) {
      if (performance.now() > end) throw new Error(`Waited ${this.#patience} ms for ${what}: ${result.state}`)
      await this.#ready(result.waitFor, end)
    }
  }

  /** Fails if the promise is not settled in time. */
  async soon<T>(what: string, promise: Promise<T>, ms: number = this.#patience): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`Waited ${ms} ms for ${what}`)), ms)
    })
    return await Promise.race([promise, late]).finally(() => clearTimeout(timer))
  }

  /** `ready` with a signal that is aborted when the patience of the case is at its end, if not before. */
  #wait(session: Session, stop: AbortSignal): Promise<void> {
    return this.soon('ready to end with its signal', session.ready(stop), 2 * this.#patience)
  }

  async #ready(session: Session | undefined, end: number): Promise<void> {
    if (session === undefined) return await nextTurn()
    const stop = AbortSignal.timeout(Math.max(Math.ceil(end - performance.now()), 1))
    const wake = new AbortController()
    const waiting = this.#wait(session, stop).then(() => wake.abort())
    await nextTurn()
    // Nobody else moves a manual clock: what a session waits for then is one of the next timers.
    const over = AbortSignal.any([stop, wake.signal])
    for (; this.#manual?.nextIn !== undefined && !over.aborted; await nextTurn()) {
      this.#manual.advance(this.#manual.nextIn)
    }
    await waiting
  }
}

/** What came, for the message of a failure: the data of the first ones. */
function shown(received: readonly Received[]): string {
  const texts = received.slice(0, 10).map(({ data }) => textOf(data).slice(0, 40))
  return `${received.length} (${texts.join(', ')})`
}

/** The data of an event as JSON says it. */
export function dataOf(received: Pick<Received | StoredDeadLetter, 'data'>): unknown {
  const { data } = received
  return JSON.parse(textOf(data))
}

/** The event names that `Bench.event` was given. */
export function namesOf(received: readonly Received[]): readonly string[] {
  return received.map(({ type }) => type.slice(type.lastIndexOf('.') + 1))
}

export function numbersOf(received: readonly Received[]): readonly number[] {
  return received.map((one) => dataOf(one) as number)
}

/** 0, 1, ... `count - 1` */
export function numbers(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i)
}

export function ascending(list: readonly number[]): readonly number[] {
  return list.toSorted((a, b) => a - b)
}
