import type { StandardSchemaV1 } from '@standard-schema/spec'
import { MillraceError } from '../errors/millrace-error.ts'
import {
  defaultSource,
  makeEvent,
  payloadOf,
  type EventOptions,
  type EventRecord,
  type MillraceEvent,
  type Origin,
} from './event.ts'
import { checkName, checkType, defaultTopic } from './names.ts'

/** What each type carries: `in` is what publish takes and what travels, `out` is what the schema makes of it for handlers. */
export type EventMap = { readonly [type: string]: { readonly in: unknown; readonly out: unknown } }

type Schemas = { readonly [type: string]: StandardSchemaV1 }

/** The path of the first part of T that JSON would change or lose; never if there is none. Looks three levels deep. */
type NotJson<T, Path extends string, Depth extends 1[] = []> = 0 extends 1 & T
  ? never
  : unknown extends T
    ? never
    : T extends string | number | boolean | null | undefined
      ? never
      : T extends
            | Date
            | bigint
            | symbol
            | ReadonlyMap<unknown, unknown>
            | ReadonlySet<unknown>
            | RegExp
            | ((...a: never[]) => unknown)
        ? Path
        : T extends Uint8Array
          ? never
          : Depth['length'] extends 3
            ? never
            : T extends readonly (infer U)[]
              ? NotJson<U, `${Path}[]`, [...Depth, 1]>
              : T extends object
                ? { [K in keyof T & string]: NotJson<T[K], `${Path}.${K}`, [...Depth, 1]> }[keyof T & string]
                : never

/** Refuses schemas whose input cannot travel as JSON, at compile time, naming the place. */
export type CheckJson<S extends Schemas> = {
  [K in keyof S]: [NotJson<StandardSchemaV1.InferInput<S[K]>, 'data'>] extends [never]
    ? S[K]
    : { readonly 'this cannot travel as JSON': NotJson<StandardSchemaV1.InferInput<S[K]>, 'data'> }
}

/** The types of events that an app publishes and handles, each with the schema of its data. */
export interface Catalog<M extends EventMap = EventMap> {
  readonly types: readonly (keyof M & string)[]
  /** A typed event, to publish now or later. */
  create<K extends keyof M & string>(
    type: K,
    data: M[K]['in'],
    options?: EventOptions,
  ): MillraceEvent<K, M[K]['in']>
}

/** What the parts of millrace use of a catalog; users see `Catalog`. */
export interface CatalogRuntime {
  readonly types: readonly string[]
  /** @throws MillraceError INVALID_EVENT, INVALID_NAME, TOPIC_AMBIGUOUS */
  topicOf(type: string): string
  /** The schema's output. @throws MillraceError UNKNOWN_TYPE, DATA_INVALID */
  parse(type: string, data: unknown): unknown
}

/**
 * The catalog of an app. Schemas are of any library with Standard Schema (zod, valibot, arktype), or `unchecked<T>()`.
 * Publishing validates and sends the schema's input as it is; handlers get its output.
 * @example const events = defineEvents({ 'order.placed': z.object({ orderId: z.string(), total: z.number() }) })
 * @throws MillraceError INVALID_EVENT, INVALID_NAME, INVALID_OPTION, TOPIC_AMBIGUOUS
 */
export function defineEvents<const S extends Schemas>(
  schemas: S & CheckJson<S>,
  options: { topic?: (type: string) => string } = {},
): Catalog<{
  // Written out, so that the compiler shows the data of each type instead of the schemas it comes from.
  readonly [K in keyof S]: {
    readonly in: StandardSchemaV1.InferInput<S[K]>
    readonly out: StandardSchemaV1.InferOutput<S[K]>
  }
}> {
  return new SchemaCatalog(schemas as Schemas, options.topic ?? defaultTopic) as unknown as ReturnType<
    typeof defineEvents<S>
  >
}

/** A schema that checks nothing: types without validation. */
export function unchecked<T>(): StandardSchemaV1<T, T> {
  return { '~standard': { version: 1, vendor: 'millrace', validate: (value) => ({ value: value as T }) } }
}

/** The runtime side of a catalog. @throws MillraceError INVALID_OPTION if it was not made by defineEvents */
export function runtimeOf(catalog: unknown): CatalogRuntime {
  if (catalog instanceof SchemaCatalog) return catalog
  throw new MillraceError('INVALID_OPTION', 'Expected `events` to be what defineEvents returned')
}

class SchemaCatalog implements CatalogRuntime {
  readonly types: readonly string[]
  readonly #schemas: ReadonlyMap<string, StandardSchemaV1>
  readonly #topics = new Map<string, string>()
  readonly #topic: (type: string) => string
  readonly #origin: Origin = {
    source: defaultSource,
    topicOf: (type) => this.topicOf(type),
    now: () => Date.now(),
  }

  constructor(schemas: Schemas, topic: (type: string) => string) {
    this.#schemas = new Map(Object.entries(schemas))
    this.types = [...this.#schemas.keys()]
    this.#topic = topic
    for (const [type, schema] of this.#schemas) {
      this.#topics.set(checkType(type), checkName(topic(type), 'topic'))
      if (typeof schema?.['~standard']?.validate !== 'function')
        throw new MillraceError('INVALID_OPTION', `The schema of '${type}' has no Standard Schema`)
    }
  }

  topicOf(type: string): string {
    return this.#topics.get(type) ?? checkName(this.#topic(checkType(type)), 'topic')
  }

  create(type: string, data: unknown, options: EventOptions = {}): EventRecord {
    this.#schema(type)
    return makeEvent(type, data, options, this.#origin)
  }

  parse(type: string, data: unknown): unknown {
    const result = this.#schema(type)['~standard'].validate(data)
    return result instanceof Promise ? result.then((r) => outputOf(type, r)) : outputOf(type, result)
  }

  #schema(type: string): StandardSchemaV1 {
    const schema = this.#schemas.get(type)
    if (schema !== undefined) return schema
    throw new MillraceError(
      'UNKNOWN_TYPE',
      `The type '${type}' is not in the catalog. It has: ${some(this.types)}`,
    )
  }
}

function some(types: readonly string[]): string {
  return types.length <= 8 ? types.join(', ') : `${types.slice(0, 8).join(', ')} and ${types.length - 8} more`
}

function outputOf(type: string, result: StandardSchemaV1.Result<unknown>): unknown {
  if (result.issues === undefined) return result.value
  const issues = result.issues.slice(0, 5).map((issue) => {
    const path = (issue.path ?? [])
      .map((part) => String(typeof part === 'object' ? part.key : part))
      .join('.')
    return path === '' ? issue.message : `${path}: ${issue.message}`
  })
  throw new MillraceError(
    'DATA_INVALID',
    `The data of '${type}' does not fit its schema: ${issues.join('; ')}`,
    { cause: result.issues },
  )
}

/**
 * Puts the schema's output in place of the data. Returns a promise only if the schema does.
 * @throws MillraceError UNKNOWN_TYPE, DATA_INVALID, DECODE_FAILED
 */
export function applySchema(catalog: CatalogRuntime, event: EventRecord): void | Promise<void> {
  const payload = event[payloadOf]
  const again = (): unknown => catalog.parse(event.type, payload.fresh())
  // Not payload.value: the event may have come before, and then holds the output of that time.
  const output = catalog.parse(event.type, payload.fresh())
  if (output instanceof Promise) return output.then((value) => payload.replace(value, undefined))
  payload.replace(output, again)
}
