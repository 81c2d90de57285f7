import { describe, expect, test } from 'vitest'
import { createEvent, type MillraceEvent } from '../event/event.ts'
import { compose, report, type Context, type Handler, type Middleware } from './chain.ts'

const event = createEvent('a.b', 1)
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

function context(): { ctx: Context; complaints: string[] } {
  const complaints: string[] = []
  const ctx = {
    queue: 'q',
    attempt: 1,
    get signal() {
      return AbortSignal.abort('own')
    },
    [report]: (code: string) => void complaints.push(code),
  }
  return { ctx: ctx as unknown as Context, complaints }
}

/** Runs the chain, and says how it ended and what was complained about. */
async function outcome(handler: Handler, ...middlewares: Middleware[]): Promise<unknown[]> {
  const { ctx, complaints } = context()
  const end = await Promise.resolve(compose(middlewares, handler)(event, ctx)).then(
    () => 'handled',
    (error: unknown) => (error as { code?: string }).code ?? (error as Error).message,
  )
  return [end, ...complaints]
}

const slow =
  (log: string[]): Handler =>
  async () => {
    await turn()
    log.push('handled')
  }

test('outermost first, and back', async () => {
  const log: string[] = []
  const around =
    (name: string): Middleware =>
    async (_event, _ctx, next) => {
      log.push(`${name} in`)
      await next()
      log.push(`${name} out`)
    }
  await compose([around('a'), around('b')], () => log.push('handler'))(event, context().ctx)
  expect(log).toEqual(['a in', 'b in', 'handler', 'b out', 'a out'])
})

test('without middlewares the handler stays itself', () => {
  const handler = (): number => 7
  expect(compose([], handler)).toBe(handler)
})

test('a middleware whose promise calls back twice is heard once', async () => {
  const careless: Middleware = (_event, _ctx, next) => {
    void next()
    const { then } = Promise.prototype
    const twice = (...to: Parameters<typeof then>): Promise<unknown> => {
      void then.apply(done, to)
      return then.apply(done, to)
    }
    const done = Promise.resolve()
    // oxlint-disable-next-line unicorn/no-thenable -- what is tested
    return Object.defineProperty(done, 'then', { value: twice })
  }
  expect(await outcome(slow([]), careless)).toEqual(['handled', 'NEXT_NOT_AWAITED'])
})

test.each<[string, Handler]>([
  ['value', () => 7],
  ['promise', async () => 7],
])('middlewares that return next() add nothing to the %s of the handler', async (_kind, handler) => {
  const result = handler(event, context().ctx)
  const through: Middleware = (_e, _c, next) => next()
  expect(compose([through, through], () => result)(event, context().ctx)).toBe(result)
})

test('a handler may return what does its work when it is asked, and is asked once', async () => {
  let asked = 0
  const query = {
    // oxlint-disable-next-line unicorn/no-thenable -- that is what a query builder is
    then: (ok: () => void) => (asked++, ok()),
  }
  const looking: Middleware = (_e, _c, next) => {
    const call = next()
    setImmediate(() => void call.then(() => undefined))
    return call
  }
  expect(await outcome(() => query, looking)).toEqual(['handled'])
  await turn().then(turn)
  expect(asked).toBe(1)
})

test('another event goes on to those further in only', async () => {
  const seen: MillraceEvent[] = []
  const other = createEvent('other.one', 2)
  const look: Middleware = (given, _ctx, next) => (seen.push(given), next())
  await compose([look, (_e, _c, next) => next(other), look], (given) => seen.push(given))(
    event,
    context().ctx,
  )
  expect(seen).toEqual([event, other, other])
})

describe('what is added to the context', () => {
  test('adds up through the layers, takes the place of what was there, and is unknown further out', async () => {
    const { ctx } = context()
    const inner: unknown[] = []
    const signal = AbortSignal.abort('replaced')
    await compose(
      [
        (e, _c, next) => next(e, { a: 1, b: 1 }),
        (_e, _c, next) => next(undefined, { b: 2, signal }),
        (_e, _c, next) => next(),
      ],
      (_e, given) => {
        const { a, b, queue, signal: own } = given as Context & { a: number; b: number }
        inner.push(a, b, queue, own)
      },
    )(event, ctx)
    expect(inner).toEqual([1, 2, 'q', signal])
    expect('a' in ctx).toBe(false)
    expect(ctx.signal.reason).toBe('own')
  })
})

describe('next that is not awaited', () => {
  test('is waited for, and reported once', async () => {
    const log: string[] = []
    expect(await outcome(slow(log), async (_e, _c, next) => void next())).toEqual([
      'handled',
      'NEXT_NOT_AWAITED',
    ])
    expect(log).toEqual(['handled'])
  })

  test('is reported also when it had ended in time', async () => {
    const middleware: Middleware = async (_e, _c, next) => {
      void next()
      await turn()
    }
    expect(await outcome(() => undefined, middleware)).toEqual(['handled', 'NEXT_NOT_AWAITED'])
  })

  test('fails the event with its rejection', async () => {
    const failing: Handler = async () => {
      await turn()
      throw new Error('inner')
    }
    expect(await outcome(failing, async (_e, _c, next) => void next())).toEqual(['inner', 'NEXT_NOT_AWAITED'])
  })

  test('is reported by its own layer only', async () => {
    const good: Middleware = (_e, _c, next) => next()
    const bad: Middleware = async (_e, _c, next) => void next()
    expect(await outcome(slow([]), good, bad, good)).toEqual(['handled', 'NEXT_NOT_AWAITED'])
  })

  test('does not hide what the middleware throws itself, which waits for it', async () => {
    const log: string[] = []
    const middleware: Middleware = (_e, _c, next) => {
      void next()
      throw new Error('sync')
    }
    expect(await outcome(slow(log), middleware)).toEqual(['sync', 'NEXT_NOT_AWAITED'])
    expect(log).toEqual(['handled'])
  })

  test('is waited for behind a race that a time-out won', async () => {
    const log: string[] = []
    const middleware: Middleware = (_e, _c, next) =>
      Promise.race([next(), Promise.reject(new Error('time is over'))])
    expect(await outcome(slow(log), middleware)).toEqual(['time is over', 'NEXT_NOT_AWAITED'])
    expect(log).toEqual(['handled'])
  })

  test('fails the event once it has ended, however late it was called', async () => {
    const failing: Handler = async () => {
      await turn()
      throw new Error('inner')
    }
    const late: Middleware = async (_e, _c, next) => {
      await turn()
      void next()
      await turn().then(turn)
    }
    expect(await outcome(failing, late)).toEqual(['inner', 'NEXT_NOT_AWAITED'])
  })

  test('nothing is complained about when it is awaited long after it has ended', async () => {
    const failing: Handler = () => Promise.reject(new Error('inner'))
    const late: Middleware = async (_e, _c, next) => {
      const call = next()
      await turn()
      await call
    }
    expect(await outcome(failing, late)).toEqual(['inner'])
  })

  test('nothing is complained about when a race was won by what followed', async () => {
    const middleware: Middleware = (_e, _c, next) => Promise.race([next(), turn().then(turn)])
    expect(await outcome(async () => 1, middleware)).toEqual(['handled'])
  })
})

describe.each<[string, Middleware]>([
  ['awaited', async (_e, _c, next) => void (await next())],
  ['returned', (_e, _c, next) => next()],
  ['returned from an async function', async (_e, _c, next) => next()],
  ['followed by then', (_e, _c, next) => next().then((value) => value)],
  ['followed by finally', (_e, _c, next) => next().finally(() => undefined)],
])('next that is %s', (_name, middleware) => {
  test('ends well', async () => expect(await outcome(slow([]), middleware)).toEqual(['handled']))
  test('fails', async () => {
    expect(await outcome(() => Promise.reject(new Error('inner')), middleware)).toEqual(['inner'])
  })
})

describe('next called again', () => {
  test('after the first had ended, is another run: a middleware may retry', async () => {
    let runs = 0
    const retrying: Middleware = (_e, _c, next) => next().catch(() => next())
    const handler = (): void => {
      if (++runs === 1) throw new Error('first')
    }
    expect(await outcome(handler, retrying)).toEqual(['handled'])
    expect(runs).toBe(2)
  })

  test('after the first had ended, is another run also if the first is awaited only later', async () => {
    let runs = 0
    const middleware: Middleware = async (_e, _c, next) => {
      const first = next()
      await turn()
      await next()
      await first
    }
    expect(await outcome(() => runs++, middleware)).toEqual(['handled'])
    expect(runs).toBe(2)
  })

  test('before the first has ended, fails and does not run', async () => {
    const log: string[] = []
    const twice: Middleware = async (_e, _c, next) => void (await Promise.all([next(), next()]))
    expect(await outcome(slow(log), twice)).toEqual(['NEXT_CALLED_TWICE', 'NEXT_NOT_AWAITED'])
    expect(log).toEqual(['handled'])
  })

  test('at once, fails and does not run however quick the handler is', async () => {
    const log: string[] = []
    const twice: Middleware = async (_e, _c, next) => void (await Promise.all([next(), next()]))
    expect(await outcome(() => log.push('handled'), twice)).toEqual(['NEXT_CALLED_TWICE'])
    expect(log).toEqual(['handled'])
  })

  test('and not awaited, fails the event and leaves no unhandled rejection', async () => {
    const twice: Middleware = async (_e, _c, next) => {
      const one = next()
      void next()
      await one
    }
    expect(await outcome(slow([]), twice)).toEqual(['NEXT_CALLED_TWICE', 'NEXT_NOT_AWAITED'])
    await turn()
  })

  test('after the middleware has returned the first, is reported and does not run', async () => {
    const log: string[] = []
    let second!: Promise<unknown>
    const twice: Middleware = (_e, _c, next) => {
      setImmediate(() => (second = next()))
      return next()
    }
    const slower: Handler = async () => {
      await turn().then(turn)
      log.push('handled')
    }
    expect(await outcome(slower, twice)).toEqual(['handled', 'NEXT_CALLED_TWICE'])
    await expect(second).rejects.toMatchObject({ code: 'NEXT_CALLED_TWICE' })
    expect(log).toEqual(['handled'])
  })

  test.each([
    ['returned', () => undefined],
    [
      'thrown',
      () => {
        throw new Error('own')
      },
    ],
  ])('after the middleware has %s, is reported and does not run', async (_name, end) => {
    const { ctx, complaints } = context()
    let runs = 0
    let kept!: () => Promise<unknown>
    const keeping: Middleware = async (_e, _c, next) => {
      kept = next
      end()
    }
    await Promise.resolve(compose([keeping], () => runs++)(event, ctx)).catch(() => undefined)
    void kept()
    await expect(kept()).rejects.toMatchObject({ code: 'NEXT_CALLED_TWICE' })
    expect([runs, complaints]).toEqual([0, ['NEXT_CALLED_TWICE', 'NEXT_CALLED_TWICE']])
  })
})

describe('a middleware', () => {
  test('that swallows the error has handled the event', async () => {
    expect(
      await outcome(
        () => Promise.reject(new Error('inner')),
        (_e, _c, next) => next().catch(() => undefined),
      ),
    ).toEqual(['handled'])
  })

  test('that never calls next has handled the event', async () => {
    expect(
      await outcome(
        () => expect.unreachable(),
        async () => undefined,
      ),
    ).toEqual(['handled'])
  })

  test('that throws before its first await fails the event', async () => {
    const throwing = (() => {
      throw new Error('sync')
    }) as Middleware
    expect(await outcome(() => undefined, throwing)).toEqual(['sync'])
  })

  test('that returns a thenable of another make is waited for', async () => {
    const log: string[] = []
    const thenable = {
      // oxlint-disable-next-line unicorn/no-thenable -- that is what a query builder is
      then(ok: (value: unknown) => void) {
        log.push('asked')
        setImmediate(() => (log.push('answered'), ok(1)))
      },
    }
    expect(await outcome(slow([]), (() => thenable) as unknown as Middleware)).toEqual(['handled'])
    expect(log).toEqual(['asked', 'answered'])
  })

  test('that returns no promise is taken as it is', async () => {
    expect(await outcome(() => undefined, (() => 5) as unknown as Middleware)).toEqual(['handled'])
  })
})

test('a handler that throws at once fails next, not the call of it', async () => {
  const middleware: Middleware = (_e, _c, next) => {
    const call = next()
    return call.catch((error: unknown) => {
      throw new Error(`seen: ${(error as Error).message}`)
    })
  }
  const throwing = (): never => {
    throw new Error('at once')
  }
  expect(await outcome(throwing, middleware)).toEqual(['seen: at once'])
})
