import { systemClock, type Clock, type Timer } from '../../../clock/clock.ts'
import type { LastMinute } from '../../../contract/last-minute.ts'
import type { Lane } from '../consuming/lane.ts'
import type { Membership } from '../group/membership.ts'
import { failureIn, type Producing } from '../producing/producing.ts'
import type { ProgressRecord } from './progress-records.ts'
import type { LaneProgress } from './progress.ts'
import { encodeRates, newRatesKey } from './stored-rates.ts'

/** What a crash may repeat: what was settled within this time, in milliseconds. */
const interval = 500
/** From one failure that is told to the next: twice as long each time. */
const firstSilence = 1_000
const longestSilence = 4_000

export interface CommitterParts {
  readonly membership: Membership
  readonly producing: Producing
  readonly progressTopic: string
  readonly rates: LastMinute
  /** The largest record that the brokers take, in bytes. */
  readonly maxBytes: number
  readonly clock: Clock
  /** It cannot commit, and tries again. Told less and less often. */
  failed(error: unknown): void
  /** What had failed works again. */
  recovered(): void
  /** What was settled in a lane is lost with it. */
  dropped(message: string): void
}

/** What is to be written down of a lane; of events that were settled, so many for the first time. */
interface Change {
  readonly lane: Lane
  readonly progress: LaneProgress
  readonly settled: number
}

/** Writes down how far the queue has come: the watermarks as the group's offsets, the rest into the progress topic. */
export class Committer {
  readonly #parts: CommitterParts
  readonly #changed = new Set<Lane>()
  #timer: Timer | undefined
  #turn: Promise<void> = Promise.resolve()
  #closed = false
  /** How long it is silent after the last failure that was told, and until when; 0: it does not fail. */
  #silence = 0
  #silentUntil = 0
  readonly #ratesKey = newRatesKey()
  #ratesWritten = false

  constructor(parts: CommitterParts) {
    this.#parts = parts
  }

  /** Something in the lane was settled, or has failed: it is committed soon. */
  touch(lane: Lane): void {
    this.#changed.add(lane)
    if (this.#timer !== undefined || this.#closed) return
    this.#timer = systemClock.after(interval, () => void this.attempt())
  }

  /** Commits if it can; if not, that is told, and it goes on being tried. */
  async attempt(): Promise<void> {
    try {
      await this.flush()
    } catch (error) {
      this.#failed(error)
    }
  }

  /** Resolves when all that was touched so far is committed. */
  flush(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    const commit = this.#turn.then(() => this.#commit())
    this.#turn = commit.catch(() => {})
    return commit
  }

  /** Commits for the last time, and takes back how busy this process is. */
  async close(): Promise<void> {
    this.#closed = true
    try {
      await this.flush()
    } finally {
      if (this.#ratesWritten) await this.#write([{ key: this.#ratesKey, value: undefined }])
    }
  }

  async #commit(): Promise<void> {
    const lanes = [...this.#changed].filter((lane) => !this.#isLost(lane))
    this.#changed.clear()
    if (lanes.length === 0) return
    const changes = lanes.map((lane): Change => ({ lane, progress: lane.progress(), settled: lane.unsaved }))
    try {
      // Also of lanes whose watermark is where it was: who may not commit must not write progress either.
      await this.#parts.membership.commit(
        changes.map(({ lane: { topic, partition }, progress }) => ({
          topic,
          partition,
          offset: progress.watermark,
        })),
      )
    } catch (error) {
      for (const lane of lanes) this.touch(lane)
      throw error
    }
    for (const { lane, progress } of changes) lane.committed = progress.watermark
    // Each for itself: what fails of one lane, or takes long, keeps no other from being written.
    const written = await Promise.allSettled([
      ...changes.map((change) => this.#writeLane(change)),
      this.#writeRates(),
    ])
    for (const one of written) if (one.status === 'rejected') throw one.reason
    this.#works()
  }

  #works(): void {
    if (this.#silence === 0) return
    this.#silence = this.#silentUntil = 0
    this.#parts.recovered()
  }

  #failed(error: unknown): void {
    const now = systemClock.monotonic()
    if (now < this.#silentUntil) return
    this.#silence = Math.min(2 * this.#silence || firstSilence, longestSilence)
    this.#silentUntil = now + this.#silence
    this.#parts.failed(error)
  }

  /** Whoever has the lane now goes on where it was written down last, and hands out again what was settled since. */
  #isLost({ name, lost, unsaved }: Lane): boolean {
    if (lost === 'taken' && unsaved > 0) {
      const events =
        unsaved === 1 ? '1 event that was settled comes' : `${unsaved} events that were settled come`
      this.#parts.dropped(`the lane ${name} was lost before that could be committed: ${events} again`)
    }
    return lost !== undefined
  }

  async #writeLane({ lane, progress, settled }: Change): Promise<void> {
    const { records, written } = lane.records.update(progress, this.#parts.maxBytes)
    try {
      await this.#write(records)
      written()
      lane.unsaved -= settled
    } catch (error) {
      this.touch(lane)
      throw error
    }
  }

  #writeRates(): Promise<void> {
    const { rates, clock } = this.#parts
    this.#ratesWritten = true
    return this.#write([
      { key: this.#ratesKey, value: encodeRates(rates.perSecond(systemClock.monotonic()), clock.now()) },
    ])
  }

  async #write(records: readonly ProgressRecord[]): Promise<void> {
    const { producing, progressTopic: topic } = this.#parts
    const error = failureIn(
      await producing.send(records.map((record) => ({ ...record, topic, partition: 0 }))),
    )
    if (error !== undefined) throw error
  }
}
