import { describe, expect, test } from 'vitest'
import { promiseOf } from './chain.ts'
import type { Held } from './held.ts'
import { Waiters } from './waiters.ts'

function heldOf(id: string): Held {
  return { received: { id } } as unknown as Held
}

type Then = (this: Promise<void>, ...to: Parameters<typeof Promise.prototype.then>) => Promise<unknown>

const twice: Then = function (...to) {
  void Promise.prototype.then.apply(this, to)
  return Promise.prototype.then.apply(this, to)
}

const withThen = (value: Then): Promise<void> =>
  // oxlint-disable-next-line unicorn/no-thenable -- what is tested
  Object.defineProperty(Promise.resolve(), 'then', { value })

describe('waiting for the promises of handlers', () => {
  const seen: string[] = []
  const waiters = new Waiters(
    ({ received }) => seen.push(`${received.id} handled`),
    ({ received }, error) => seen.push(`${received.id} failed: ${String(error)}`),
  )

  test('each outcome is that of its own event, whichever comes first', async () => {
    const [first, second, third] = [1, 2, 3].map(() => Promise.withResolvers<void>())
    waiters.wait(heldOf('a'), first!.promise)
    waiters.wait(heldOf('b'), second!.promise)
    second!.reject('no')
    await second!.promise.catch(() => undefined)
    waiters.wait(heldOf('c'), third!.promise)
    first!.resolve()
    third!.resolve()
    await third!.promise
    expect(seen.splice(0)).toEqual(['b failed: no', 'a handled', 'c handled'])
  })

  test('a promise that calls back twice is heard once', async () => {
    class Twice extends Promise<void> {
      // oxlint-disable-next-line unicorn/no-thenable -- what is tested
      override then<A, B>(...to: Parameters<typeof Promise.prototype.then<A, B>>): Promise<A | B> {
        void super.then(...to)
        return super.then(...to)
      }
    }
    const pending = promiseOf(new Twice((resolve) => resolve())) as Promise<unknown>
    waiters.wait(heldOf('a'), pending)
    await pending
    waiters.wait(heldOf('b'), new Promise(() => undefined))
    await Twice.resolve()
    expect(seen.splice(0)).toEqual(['a handled'])
  })

  test('nor does one whose own `then`, as instrumentation puts it there, calls back again much later', async () => {
    let again: unknown
    const pending = withThen(function (...to) {
      again = to[0]
      return Promise.prototype.then.apply(this, to)
    })
    const safe = promiseOf(pending) as Promise<unknown>
    waiters.wait(heldOf('a'), safe)
    await safe
    waiters.wait(heldOf('b'), new Promise(() => undefined))
    ;(again as () => void)()
    await Promise.resolve()
    expect(seen.splice(0)).toEqual(['a handled'])
  })

  test('what calls back twice after all does not make one waiter two', async () => {
    waiters.wait(heldOf('a'), withThen(twice))
    await Promise.resolve()
    const [b, c] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    waiters.wait(heldOf('b'), b.promise)
    waiters.wait(heldOf('c'), c.promise)
    b.resolve()
    c.resolve()
    await c.promise
    expect(seen.splice(0)).toEqual(['a handled', 'b handled', 'c handled'])
  })
})
