import { randomUUID } from 'node:crypto'
import { systemClock, type Clock, type Timer } from '../../clock/clock.ts'
import type { Lane } from './lane.ts'
import type { Membership } from './membership.ts'
import { failureIn, type Producing } from './producing.ts'
import { encodeProgress, ratesPrefix } from './progress.ts'
import type { Rates } from './rates.ts'

/** What a crash may repeat: what was settled within this time, in milliseconds. */
const interval = 500

export interface CommitterParts {
  readonly membership: Membership
  readonly producing: Producing
  readonly progressTopic: string
  readonly rates: Rates
  readonly clock: Clock
  failed(error: unknown): void
}

/** Writes down how far the queue has come: the watermarks as the group's offsets, the rest into the progress topic. */
export class Committer {
  readonly #parts: CommitterParts
  readonly #changed = new Set<Lane>()
  #timer: Timer | undefined
  #turn: Promise<void> = Promise.resolve()
  #closed = false
  readonly #ratesKey = `${ratesPrefix}${randomUUID()}`

  constructor(parts: CommitterParts) {
    this.#parts = parts
  }

  /** Something in the lane was settled, or has failed: it is committed soon. */
  touch(lane: Lane): void {
    this.#changed.add(lane)
    if (this.#timer !== undefined || this.#closed) return
    this.#timer = systemClock.after(interval, () => {
      this.flush().catch((error: unknown) => this.#parts.failed(error))
    })
  }

  /** Resolves when all that was touched so far is committed. */
  flush(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    const commit = this.#turn.then(() => this.#commit())
    this.#turn = commit.catch(() => {})
    return commit
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  async #commit(): Promise<void> {
    const lanes = [...this.#changed].filter(({ lost }) => !lost)
    this.#changed.clear()
    if (lanes.length === 0) return
    const progress = lanes.map((lane) => lane.progress())
    const { membership, producing, progressTopic: topic, rates, clock } = this.#parts
    try {
      // Also of lanes whose watermark is where it was: who may not commit must not write progress either.
      await membership.commit(
        lanes.map((lane, i) => ({
          topic: lane.topic,
          partition: lane.partition,
          offset: progress[i]!.watermark,
        })),
      )
      lanes.forEach((lane, i) => (lane.committed = progress[i]!.watermark))
      const busy = JSON.stringify({ at: clock.now(), ...rates.perSecond() })
      const results = await producing.send([
        ...lanes.map(({ name }, i) => ({
          topic,
          key: name,
          value: encodeProgress(progress[i]!),
          partition: 0,
        })),
        { topic, key: this.#ratesKey, value: busy, partition: 0 },
      ])
      const error = failureIn(results)
      if (error !== undefined) throw error
    } catch (error) {
      for (const lane of lanes) this.touch(lane)
      throw error
    }
  }
}
