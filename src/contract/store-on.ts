import { milliseconds, type Duration } from '../clock/duration.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import { sizeOf, type Raw } from '../event/payload.ts'
import { Calls } from './calls.ts'
import { checkKey } from './keys.ts'
import type {
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

/** A store on a system: everything that all stores share. */
export function storeOn(driver: StoreDriver): Store {
  return new DriverStore(driver)
}

class DriverStore implements Store {
  readonly system: string
  readonly #driver: StoreDriver
  readonly #calls: Calls

  constructor(driver: StoreDriver) {
    this.system = driver.system
    this.#driver = driver
    this.#calls = new Calls(`The ${driver.system} store`)
  }

  get features(): StoreFeatures {
    return this.#driver.features
  }

  async get(key: string, { signal }: { signal?: AbortSignal } = {}): Promise<Entry | undefined> {
    checkKey(key)
    return await this.#calls.run(() => this.#driver.get(key), signal)
  }

  async put(key: string, value: Raw, options: PutOptions = {}): Promise<PutResult> {
    checkKey(key)
    checkValue(value, this.features.maxBytes)
    const ttl = options.ttl === undefined ? undefined : checkTtl(options.ttl)
    const condition = { ifAbsent: options.ifAbsent === true, ifVersion: versionOf(options) }
    this.#checkCondition(condition)
    const own = typeof value === 'string' ? value : new Uint8Array(value)
    return await this.#calls.run(() => this.#driver.put(key, own, ttl, condition), options.signal)
  }

  async touch(key: string, ttl: Duration, options: TouchOptions = {}): Promise<string | undefined> {
    checkKey(key)
    const ms = checkTtl(ttl)
    const ifVersion = versionOf(options)
    this.#checkCondition({ ifAbsent: false, ifVersion })
    return await this.#calls.run(() => this.#driver.touch(key, ms, ifVersion), options.signal)
  }

  async delete(key: string, options: DeleteOptions = {}): Promise<boolean> {
    checkKey(key)
    const ifVersion = versionOf(options)
    this.#checkCondition({ ifAbsent: false, ifVersion })
    return await this.#calls.run(() => this.#driver.delete(key, ifVersion), options.signal)
  }

  close(): Promise<void> {
    return this.#calls.close(() => this.#driver.close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #checkCondition({ ifAbsent, ifVersion }: Condition): void {
    if (ifAbsent && ifVersion !== undefined)
      throw new MillraceError('INVALID_OPTION', 'Expected `ifAbsent` or `ifVersion`, got both')
    if ((ifAbsent || ifVersion !== undefined) && !this.features.atomic)
      throw new MillraceError('UNSUPPORTED', `The ${this.system} store is not atomic: it has no conditions`)
  }
}

/** An `ifVersion` that is there and undefined comes from an entry that is not there: without a condition it would strike anything. */
function versionOf(options: { readonly ifVersion?: string }): string | undefined {
  if (!Object.hasOwn(options, 'ifVersion') || typeof options.ifVersion === 'string') return options.ifVersion
  throw new MillraceError(
    'INVALID_OPTION',
    `Expected \`ifVersion\` to be text, got ${String(options.ifVersion)}`,
  )
}

function checkTtl(ttl: Duration): number {
  const ms = milliseconds(ttl, 'ttl')
  if (ms === 0) throw new MillraceError('INVALID_OPTION', 'Expected `ttl` to be more than 0')
  return ms
}

function checkValue(value: Raw, maxBytes: number): void {
  const isText = typeof value === 'string'
  if (!isText && !(value instanceof Uint8Array))
    throw new MillraceError('INVALID_VALUE', `Expected text or a Uint8Array, got ${typeof value}`)
  // UTF-8 would make another text of it.
  if (isText && !value.isWellFormed())
    throw new MillraceError('INVALID_VALUE', 'The text has half a character (a lone surrogate) in it')
  const size = sizeOf(value)
  if (size > maxBytes)
    throw new MillraceError('VALUE_TOO_LARGE', `The value has ${size} bytes, and the store takes ${maxBytes}`)
}
