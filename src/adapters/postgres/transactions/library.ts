/** Runs a statement whose parameters, $1 and so on, stand in it once each, in order, and are texts. Its columns are texts, named in small letters. */
export type Statements = (sql: string, texts: readonly string[]) => PromiseLike<readonly unknown[]>

/** A client library for Postgres. It is not imported: its objects are known by what they have. */
export interface Library {
  /** What of it is a transaction, for messages. */
  readonly transaction: string
  /** Undefined: the object is none of this library. A text: why what it runs would be in no transaction. */
  join(candidate: object): Statements | string | undefined
}

/** Whether it has all of these methods. */
export function can(candidate: object, ...methods: readonly string[]): boolean {
  return methods.every((method) => typeof Reflect.get(candidate, method) === 'function')
}
