import { pause, systemClock, type Clock } from '../clock/clock.ts'
import { within } from '../clock/within.ts'
import type { DeadLetterRecord } from '../contract/dead-letter.ts'
import type { Notice, Received, Session, SettleResult, Settlement, Transport } from '../contract/transport.ts'
import { isMillraceError } from '../errors/millrace-error.ts'
import type { Reporter } from '../report/reporter.ts'
import { Forwarder } from './forwarder.ts'
import { HeldLeases } from './held-leases.ts'
import { outboxQueue } from './outbox-queue.ts'
import { Patience } from './patience.ts'

/** How long others wait for the events of a relay that died, in milliseconds. */
const lease = 30_000
/** How long a stop goes on sending what was committed before it, in milliseconds: mostly all that a short process has to say. */
const longestLast = 1_000
/** What a transport may take to give up, once it is told to, in milliseconds. */
const graceForAbort = 100
/** Before the outbox is asked again whether a lease goes on, in milliseconds. */
const afterNoAnswer = 500

export interface RelayParts {
  readonly clock: Clock
  /** The outbox, with its queue declared. */
  readonly outbox: () => Promise<Transport>
  readonly transport: () => Promise<Transport>
  /** What the transport is called. */
  readonly destination: string
  readonly reporter: Reporter
  onDead(received: Received, record: DeadLetterRecord): void
}

/** What an exchange gave. */
interface Taken {
  readonly received: readonly Received[]
  /** Settlements that are to be sent again. */
  readonly again: readonly Settlement[]
}

/**
 * Takes events out of the outbox and publishes them to the transport. While one batch is on its way, the one before is settled and
 * the next is claimed. Any number of relays, in any processes, share an outbox as consumers share a queue.
 */
export class Relay {
  readonly #parts: RelayParts
  readonly #forwarder: Forwarder
  /** Aborted when a stop begins: the next time that the outbox is found empty is the last. */
  readonly #last = new AbortController()
  /** Aborted soon after: nothing is waited for any more. */
  readonly #stop = new AbortController()
  /** Aborted when the time of the stop is over: what is on its way is given up. */
  readonly #end = new AbortController()
  readonly #reading: Patience
  readonly #sending: Patience
  /** What the transport has been given and has not answered. */
  #underWay: readonly Received[] = []
  #starting: Promise<void> | undefined
  #running: Promise<void> | undefined
  #session!: Session
  #leases!: HeldLeases
  /**
   * Whether the next exchange asks for events of a relay that died, and for no others: of either kind it may take as much as
   * there is memory for.
   */
  #lapsed = false

  constructor(parts: RelayParts) {
    this.#parts = parts
    const { clock, transport, destination, reporter } = parts
    const patience = (began: string, over: string): Patience =>
      new Patience(clock, (notice) => this.#notice(notice), { began, over }, this.#stop.signal)
    this.#reading = patience('The outbox cannot be read; trying again', 'The outbox can be read again after')
    this.#sending = patience(
      `Nothing can be relayed to ${destination}; trying again`,
      `${destination} takes what is relayed again after`,
    )
    this.#forwarder = new Forwarder({
      clock,
      transport,
      again: (received, delay, error) => reporter.failed(about(received), received.attempt, delay, error),
      dead: (received, error) => reporter.dead(about(received), received.attempt, error),
    })
  }

  /** Resolves when it works. Idempotent; if it failed, it may be called again. */
  start(): Promise<void> {
    this.#starting ??= this.#start().catch((error: unknown) => {
      this.#starting = undefined
      throw error
    })
    return this.#starting
  }

  async #start(): Promise<void> {
    const { clock, outbox } = this.#parts
    const store = await outbox()
    if (this.#stop.signal.aborted) return
    const session = await store.open(outboxQueue.name, {
      lease,
      order: outboxQueue.order,
      clock,
      notice: (notice) => this.#notice(notice),
      // What is on its way cannot be called back; whoever has the lane next may send it once more.
      onRevoke: () => {},
      onLost: (list) => this.#leases.drop(list),
    })
    this.#session = session
    this.#leases = new HeldLeases({ clock, session, lease, notice: (notice) => this.#notice(notice) })
    this.#running = this.#run()
  }

  /**
   * Sends what was committed before, for a second at most and not in an outage, then what is on its way, until `deadline`
   * (monotonic). What was not sent is given back.
   */
  async stop(deadline: number): Promise<void> {
    this.#last.abort()
    await this.#starting?.catch(() => undefined) // whoever started it was told
    if (this.#running !== undefined && !this.#sending.on) {
      await within(this.#running, Math.min(longestLast, deadline - systemClock.monotonic()))
    }
    this.#stop.abort()
    if (this.#running === undefined) return
    if (!(await within(this.#running, deadline - systemClock.monotonic()))) {
      this.#end.abort()
      await within(this.#running, graceForAbort)
    }
    this.#leases.stop()
    // What may still arrive keeps its lease, so that nobody else sends it meanwhile.
    try {
      await this.#session.close({ keep: this.#underWay })
    } catch (cause) {
      const message = 'What the relay holds could not be given back; it is sent when its leases have run out'
      this.#notice({ code: 'CONNECTION_LOST', message, cause })
    }
  }

  async #run(): Promise<void> {
    let settle: readonly Settlement[] = []
    let batch: readonly Received[] = []
    const wake = AbortSignal.any([this.#last.signal, this.#stop.signal])
    // For new events, since it was told to end: those were perhaps committed just before.
    let hasLooked = false
    while (!this.#stop.signal.aborted) {
      hasLooked ||= this.#last.signal.aborted && !this.#lapsed
      const forwarding = this.#forward(batch)
      const { received, again } = await this.#exchange(settle)
      const decided = await forwarding
      const waiting = new Set(decided.flatMap(({ as, of }) => (as === 'retry' ? (of.key ?? []) : [])))
      const isFree = ({ key }: Received): boolean => key === undefined || !waiting.has(key)
      // They stand behind one of their key that goes back now, and go back with it.
      const behind = received.filter((of) => !isFree(of)).map((of): Settlement => ({ of, as: 'release' }))
      settle = [...again, ...decided, ...behind]
      batch = received.filter(isFree)
      if (settle.length > 0 || batch.length > 0 || this.#lapsed) continue
      if (hasLooked) break
      await this.#session.ready(wake)
    }
    try {
      if (settle.length > 0) this.#settled(settle, await this.#session.settle(settle))
    } catch (cause) {
      this.#notice({ code: 'STOPPED', message: 'What was relayed last may be sent again', cause })
    }
  }

  /** Sends all of the batch, however long that takes; at a stop, what can be sent at once. */
  async #forward(batch: readonly Received[]): Promise<readonly Settlement[]> {
    const settle: Settlement[] = []
    let left = batch
    do {
      const ours = await this.#leases.still(left)
      if (ours === undefined) {
        await pause(this.#parts.clock, afterNoAnswer, this.#stop.signal)
        continue
      }
      this.#underWay = ours
      const sent = await this.#forwarder.forward(ours, this.#end.signal)
      this.#underWay = []
      settle.push(...sent.settle)
      left = sent.left
      if (left.length > 0) await this.#sending.after(sent.cause)
      else if (ours.length > 0) this.#sending.over()
    } while (left.length > 0 && !this.#stop.signal.aborted)
    return settle
  }

  /** Settles, and claims a batch; again and again until the outbox answers, or the stop. */
  async #exchange(settle: readonly Settlement[]): Promise<Taken> {
    const lapsed = this.#lapsed
    while (!this.#stop.signal.aborted) {
      const began = this.#parts.clock.monotonic()
      const { claim } = this.#session
      try {
        const wanted = lapsed ? { max: 0, lapsed: claim } : { max: claim }
        const result = await this.#session.exchange({ settle, ...wanted })
        this.#reading.over()
        const again = this.#settled(settle, result.settled)
        this.#leases.add(result.received, began + lease)
        this.#lapsed = result.lapsed === true && !lapsed
        return { received: result.received, again }
      } catch (error) {
        await this.#reading.after(error)
      }
    }
    return { received: [], again: settle }
  }

  /** The outbox has answered. Gives those that are to be sent again. */
  #settled(list: readonly Settlement[], results: readonly SettleResult[] | undefined): readonly Settlement[] {
    return list.filter(({ as, of, record }, i) => {
      const result = results?.[i] ?? 'done'
      if (isMillraceError(result)) return true
      this.#leases.drop([of])
      if (as === 'dead' && result === 'done') this.#parts.onDead(of, record as DeadLetterRecord)
      return false
    })
  }

  #notice(notice: Notice): void {
    this.#parts.reporter.notice({ ...notice, queue: outboxQueue.name })
  }
}

function about({ type, id }: Received): { queue: string; type: string; id: string } {
  return { queue: outboxQueue.name, type, id }
}
