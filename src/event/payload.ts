import { MillraceError, messageOf } from '../errors/millrace-error.ts'

/** The data of an event as it travels: JSON and other text as a string, everything else as bytes. */
export type Raw = string | Uint8Array

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Whether data of this content type is JSON. Nothing said means JSON, as in CloudEvents' JSON format. */
export function isJson(contentType: string | undefined): boolean {
  if (contentType === undefined) return true
  const type = mediaType(contentType)
  return type === 'application/json' || type === 'text/json' || type.endsWith('+json')
}

export function mediaType(contentType: string): string {
  const end = contentType.indexOf(';')
  return (end === -1 ? contentType : contentType.slice(0, end)).trim().toLowerCase()
}

/** Text of raw data. @throws MillraceError DECODE_FAILED if bytes are not UTF-8 */
export function textOf(raw: Raw): string {
  if (typeof raw === 'string') return raw
  try {
    return strictUtf8.decode(raw)
  } catch (cause) {
    throw new MillraceError('DECODE_FAILED', 'The data is not UTF-8', { cause })
  }
}

export function bytesOf(raw: Raw): Uint8Array {
  return typeof raw === 'string' ? Buffer.from(raw, 'utf8') : raw
}

/** To write a short text here tells its size five times as fast as `Buffer.byteLength` does. */
const scratch = Buffer.allocUnsafe(16 * 1024)
const mostBytesOfOne = 3

export function sizeOf(raw: Raw): number {
  if (typeof raw !== 'string') return raw.byteLength
  return raw.length * mostBytesOfOne <= scratch.length ? scratch.write(raw) : Buffer.byteLength(raw)
}

/** @throws MillraceError DECODE_FAILED */
export function decodeData(raw: Raw, contentType: string | undefined): unknown {
  if (isJson(contentType)) {
    if (raw.length === 0) return undefined
    try {
      return JSON.parse(textOf(raw))
    } catch (cause) {
      throw new MillraceError('DECODE_FAILED', `The data is not JSON${placeIn(cause)}`, { cause })
    }
  }
  if (contentType !== undefined && mediaType(contentType).startsWith('text/')) return textOf(raw)
  return bytesOf(raw)
}

/** Where the mistake is, if the engine says so. Its message may also quote the data, which does not belong into logs. */
function placeIn(error: unknown): string {
  const place = / at position \d+/.exec(messageOf(error))
  return place === null ? '' : `:${place[0]}`
}

/** @throws MillraceError DATA_NOT_JSON */
export function encodeData(data: unknown, contentType: string | undefined): Raw {
  if (data === undefined) return ''
  if (data instanceof Uint8Array) return new Uint8Array(data)
  if (typeof data === 'string' && !isJson(contentType)) return data
  let text: string | undefined
  try {
    text = JSON.stringify(data)
  } catch (cause) {
    throw new MillraceError('DATA_NOT_JSON', `The data cannot travel as JSON: ${messageOf(cause)}`, { cause })
  }
  if (text === undefined) throw new MillraceError('DATA_NOT_JSON', `A ${typeof data} cannot travel as JSON`)
  return text
}

/**
 * The data of one event, decoded once and only when somebody looks. Data that nobody changed leaves exactly as it came:
 * big integers, key order and escapes survive a trip through a handler that publishes its event on.
 */
export class Payload {
  readonly contentType: string | undefined
  readonly #raw: Raw | undefined
  #value: unknown
  #decoded: boolean
  /** What `shownAs` said of the value before anybody could write into it. None: what it says of the raw data decoded anew. */
  #before: (() => string | undefined) | undefined

  private constructor(raw: Raw | undefined, contentType: string | undefined, value: unknown) {
    this.#raw = raw
    this.contentType = contentType
    this.#value = value
    this.#decoded = raw === undefined
  }

  /** What a user gave to publish. */
  static of(value: unknown, contentType?: string): Payload {
    const type = contentType ?? (value instanceof Uint8Array ? 'application/octet-stream' : undefined)
    return new Payload(undefined, type, value)
  }

  /** What takes the place of data of this content type. The type stays if it fits the new data too. */
  static inPlaceOf(contentType: string | undefined, value: unknown): Payload {
    const text = contentType !== undefined && mediaType(contentType).startsWith('text/')
    const fits = value instanceof Uint8Array || (text && typeof value === 'string')
    return Payload.of(value, fits !== isJson(contentType) ? contentType : undefined)
  }

  /** What travelled. */
  static from(raw: Raw, contentType: string | undefined): Payload {
    return new Payload(raw, contentType, undefined)
  }

  get value(): unknown {
    if (!this.#decoded) {
      this.#value = decodeData(this.#raw as Raw, this.contentType)
      this.#decoded = true
    }
    return this.#value
  }

  /** The data decoded anew, untouched by anybody. */
  fresh(): unknown {
    return this.#raw === undefined ? this.#value : decodeData(this.#raw, this.contentType)
  }

  /** From now on `value` is what the schema made of the data. `again` makes it anew; none: it cannot be made synchronously. */
  replace(value: unknown, again: (() => unknown) | undefined): void {
    this.#value = value
    this.#decoded = true
    const before = again === undefined ? shownAs(value) : undefined
    this.#before = again === undefined ? () => before : () => shownAs(again())
  }

  /** The data as it will travel. */
  encode(): Raw {
    return this.#raw === undefined || this.#changed(this.#raw)
      ? encodeData(this.#value, this.contentType)
      : this.#raw
  }

  /** What a schema has to check before it travels. */
  get outgoing(): unknown {
    return this.#raw === undefined || this.#changed(this.#raw) ? this.#value : this.fresh()
  }

  /** Whether somebody wrote into the decoded data. Decoding again costs, but only an event that is published on pays it. */
  #changed(raw: Raw): boolean {
    if (!this.#decoded || typeof this.#value !== 'object' || this.#value === null) return false
    if (this.#value instanceof Uint8Array) return false
    const before = this.#before === undefined ? shownAs(decodeData(raw, this.contentType)) : this.#before()
    return before !== shownAs(this.#value)
  }
}

/** A text that differs where data differs as JSON. Schemas may put more into it: BigInts count, what JSON cannot show does not. */
function shownAs(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, (_name, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part))
  } catch {
    return undefined // a cycle, or a toJSON that throws: the same before and after
  }
}
