import { MillraceError } from '../../../errors/millrace-error.ts'
import type { PgConnection } from '../client.ts'

export interface GuardedClient {
  /** The client as it is, but that it stays with its transaction, and does nothing any more after `end`. */
  readonly client: object
  /** Whether something that it was given to run is still under way. */
  busy(): boolean
  /** Others get the connection from now on. */
  end(): void
}

type Call = (...of: readonly unknown[]) => unknown

/** What a handler gets of a connection: what it runs and does not await would be part of another transaction. */
export function guardedClient(connection: PgConnection): GuardedClient {
  let over = false
  let busy = false
  const drained = (): void => void (busy = false)
  // That is told before the server is ready again, and all else that waits fails with it.
  const failed = (error: unknown): never => {
    busy = false
    throw error
  }
  const calls: Readonly<Record<PropertyKey, Call>> = {
    query: (...of) => {
      if (over) return refused(isOver(), of)
      busy = true
      const running: unknown = Reflect.apply(connection.query, connection, of)
      return running instanceof Promise ? running.catch(failed) : running
    },
    // In good faith, of one that was lent: by libraries after each query, by people in a `finally`.
    release: () => undefined,
    connect: (...of) => refused(over ? isOver() : isManaged('connect'), of),
    end: (...of) => refused(over ? isOver() : isManaged('end'), of),
  }
  // What a handler puts in place of a function lands here, in whichever way it does so, and is gone with its transaction.
  const own = Object.create(Reflect.getPrototypeOf(connection)) as object
  const client: object = new Proxy(own, {
    has: (_own, property) => property in own || property in connection,
    get(_own, property, receiver) {
      if (Object.hasOwn(own, property)) return Reflect.get(own, property, receiver)
      if (Object.hasOwn(calls, property)) return calls[property]
      const value: unknown = Reflect.get(connection, property, connection)
      if (typeof value !== 'function') return value
      return (...of: readonly unknown[]): unknown => {
        if (over && !tidies.has(property)) throw isOver()
        const result: unknown = Reflect.apply(value, connection, of)
        return result === connection ? client : result
      }
    },
  })
  connection.on('drain', drained)
  const end = (): void => {
    over = true
    connection.removeListener('drain', drained)
  }
  return { client, busy: () => busy, end }
}

/** Whoever has listened may stop to, at any time. */
const tidies: ReadonlySet<PropertyKey> = new Set(['off', 'removeListener'])

/** As functions of `pg` fail: by a promise, or by the callback that was given. A cursor, which it gives back as it is, fails at once. */
function refused(error: MillraceError, of: readonly unknown[]): unknown {
  if (typeof (of[0] as { submit?: unknown } | undefined)?.submit === 'function') throw error
  const callback = of.at(-1)
  if (typeof callback !== 'function') return Promise.reject(error)
  process.nextTick(callback, error)
  return undefined
}

function isOver(): MillraceError {
  return new MillraceError(
    'TRANSACTION_OVER',
    'The transaction of this handler is over: await what it runs before the handler ends',
  )
}

function isManaged(call: string): MillraceError {
  return new MillraceError(
    'TRANSACTION_MANAGED',
    `\`${call}\` of ctx.transaction: its connection is opened and closed for you`,
  )
}
