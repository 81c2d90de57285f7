import { expect } from 'vitest'
import type { ManualClock } from '../../clock/manual-clock.ts'
import type { Entry, PutOptions, Store, StoreFeatures } from '../../contract/store.ts'
import type { Raw } from '../../event/payload.ts'
import type { ModuleUnderTest } from '../module.ts'
import { newName, Time } from '../time.ts'

/** What the suite needs to know of the store it tests. */
export interface StoreUnderTest {
  /** The store of this name on a system that may hold others: names are never used twice. Closed by the suite. */
  open(name: string): Store | Promise<Store>
  /** The same store once more, as another process would have it. */
  reopen?(name: string): Store | Promise<Store>
  /** How processes open it; its module exports `open(place: string, name: string)`. Needed if `features.processes`. */
  readonly processes?: ModuleUnderTest
  /** The clock that the store counts with, if it can be a manual one; the suite moves it instead of waiting. */
  readonly clock?: ManualClock
  /** A ttl that the system can keep and the suite waits for, in milliseconds. Default 300. */
  readonly ttl?: number
  /** Cases that cannot pass, by their names, each with its reason. */
  readonly skip?: readonly { readonly test: string; readonly reason: string }[]
  /** How long one wait of a case may take before the case fails. Default 10,000 ms. */
  readonly patience?: number
}

/** One promise of the contract. `run` rejects if the store does not keep it. */
export interface StoreCase {
  readonly name: string
  /** Why the case does not apply to a store of these features, tested this way; undefined if it does. */
  unless?(features: StoreFeatures, under: StoreUnderTest): string | undefined
  run(bench: StoreBench): Promise<void>
}

/** For cases about conditions. */
export const unlessAtomic = ({ atomic }: StoreFeatures): string | undefined =>
  atomic ? undefined : 'features.atomic is false'

/** A time that no case lets pass, in milliseconds. */
export const longTtl = 3_600_000

/** What a case works with: a store of its own, and time. */
export class StoreBench {
  readonly store: Store
  /** Another instance of the store where there can be one, else the same. */
  readonly other: Store
  readonly time: Time
  /** A ttl that is soon over, in milliseconds. */
  readonly ttl: number
  readonly patience: number
  readonly #under: StoreUnderTest
  readonly #opened: Store[]

  private constructor(under: StoreUnderTest, store: Store, other: Store) {
    this.store = store
    this.other = other
    this.ttl = under.ttl ?? 300
    this.patience = under.patience ?? 10_000
    this.time = new Time(under.clock, this.patience)
    this.#under = under
    this.#opened = [store, other]
  }

  static async open(under: StoreUnderTest): Promise<StoreBench> {
    const name = newName('store')
    const store = await under.open(name)
    return new StoreBench(under, store, (await under.reopen?.(name)) ?? store)
  }

  /** A store of another name on the same system. */
  async another(): Promise<Store> {
    const store = await this.#under.open(newName('store'))
    this.#opened.push(store)
    return store
  }

  async close(): Promise<void> {
    for (const store of this.#opened) await store.close()
  }

  /** Puts, and expects that it was stored. Gives the version. */
  async put(key: string, value: Raw, options?: PutOptions, store = this.store): Promise<string> {
    const result = await store.put(key, value, options)
    if (!result.stored) expect.fail(`${JSON.stringify(key)} was not stored`)
    return result.version
  }

  /** The value that is there for each of the two instances, which is the same. */
  async value(key: string): Promise<Raw | undefined> {
    const [here, there] = [await this.store.get(key), await this.other.get(key)]
    expect(there, 'the other instance has another entry').toEqual(here)
    return here?.value
  }

  /** Lets the time of an entry be over that was put or touched before. */
  async expire(ttl = this.ttl): Promise<void> {
    await this.time.pass(ttl + this.store.features.ttlResolution + 1)
  }

  /** The entry, which must be there. */
  async entry(key: string): Promise<Entry> {
    const entry = await this.store.get(key)
    if (entry === undefined) expect.fail(`${JSON.stringify(key)} is not there`)
    return entry
  }
}
