import { MillraceError } from '../../../errors/millrace-error.ts'
import type { PgConnection } from '../client.ts'

export interface GuardedClient {
  /** The client as it is, but that it runs nothing any more after `end`. */
  readonly client: object
  /** Others get the connection from now on. */
  end(): void
}

/** What a handler gets of a connection: what it runs and does not await would be part of another transaction. */
export function guardedClient(connection: PgConnection): GuardedClient {
  let over = false
  const query = (...of: readonly unknown[]): unknown =>
    over ? refused(of) : Reflect.apply(connection.query, connection, of)
  const client = new Proxy(connection, {
    get(target, property) {
      if (property === 'query') return query
      const value: unknown = Reflect.get(target, property, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  return { client, end: () => (over = true) }
}

/** As `query` of `pg` fails: by a promise, or by the callback that was given. A cursor, which it gives back as it is, fails at once. */
function refused(of: readonly unknown[]): unknown {
  const error = new MillraceError(
    'TRANSACTION_OVER',
    'The transaction of this handler is over: await what it runs before the handler ends',
  )
  if (typeof (of[0] as { submit?: unknown } | undefined)?.submit === 'function') throw error
  const callback = of.at(-1)
  if (typeof callback !== 'function') return Promise.reject(error)
  process.nextTick(callback, error)
  return undefined
}
