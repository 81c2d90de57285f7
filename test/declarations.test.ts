import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { compile } from './compile.ts'
import { root } from './imports.ts'

/*
 * The declarations as users' compilers see them: in dist, through `exports`, on the strictest settings. Needs a build.
 * Without @types/node and the DOM there is no AbortSignal and no Request; the declarations must bring what they name.
 */

interface Manifest {
  readonly exports: Readonly<Record<string, unknown>>
}

const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest
// The conformance suite is for vitest, whose own declarations need @types/node.
const subpaths = Object.keys(exports).filter((path) => path !== './package.json' && path !== './conformance')

const bare = {
  compilerOptions: {
    target: 'es2023',
    lib: ['es2023'],
    types: [],
    module: 'nodenext',
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    declaration: true,
    outDir: 'out',
  },
}

test.each(subpaths)(
  '%s stands alone',
  async (path) => {
    const name = join('millrace', path).replaceAll('\\', '/')
    const { errors } = await compile(`export * as part from '${name}'\n`, { config: bare })
    expect(errors).toEqual([])
  },
  60_000,
)

const shop = `
import { createPublisher, defineEvents, millrace, pipeline, unchecked, type Handler, type HandlerOf, type Middleware, type MillraceEvent, type Next } from 'millrace'
import { memory } from 'millrace/memory'
import { sqlite } from 'millrace/sqlite'
import { testContext, testing } from 'millrace/testing'

export const events = defineEvents({
  'order.placed': unchecked<{ orderId: string; total: number }>(),
  'order.paid': unchecked<{ orderId: string }>(),
})
export const log: Middleware = async (event, ctx, next) => {
  await next()
  void [event.type, ctx.queue]
}
export const traced = async <E extends MillraceEvent, C>(event: E, _ctx: C, next: Next<E>) => next(event, { trace: event.id })
export const app = millrace({ transport: sqlite('shop.db'), events }).use(log).use(traced)
export const queue = app.queue('billing', { order: { by: 'key' } }).on('order.placed', async (event, ctx) => {
  if (event.data.total > 0) await ctx.publish('order.paid', { orderId: event.data.orderId + ctx.trace })
})
export const chained = pipeline(log, traced, ((event) => event.id) satisfies Handler)
export const onPaid: HandlerOf<typeof events, 'order.paid'> = async (event, { publish }) => publish('order.placed', { orderId: event.data.orderId, total: 1 })
export const publisher = createPublisher({ transport: memory() })
export const tested = async () => {
  await using t = await testing(app)
  await onPaid(events.create('order.paid', { orderId: '7' }), testContext())
  return t.published('order.paid').map((event) => event.data.orderId)
}
`

test('a project that exports what it made compiles, and emits declarations of its own', async () => {
  const config = { compilerOptions: { ...bare.compilerOptions, lib: ['es2023', 'esnext.disposable'] } }
  const { errors } = await compile(shop, { config })
  expect(errors).toEqual([])
}, 60_000)

test('the settings are strict enough to find a mistake', async () => {
  const { errors } = await compile(
    "import { millrace } from 'millrace'\nmillrace({ transport: 5 })\nBuffer.from('')\n",
    { config: bare },
  )
  expect(errors.map((error) => error.line)).toEqual([2, 3])
}, 60_000)

test('no public type is any', () => {
  const files = readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.d.ts'),
  )
  const loose = files.flatMap((file) => {
    const text = readFileSync(join(root, 'dist', file), 'utf8').replaceAll(
      /\/\*[\s\S]*?\*\/|\/\/.*$|'[^'\n]*'/gm,
      '',
    )
    return text
      .split('\n')
      .filter((line) => /\bany\b/.test(line))
      .map((line) => `${file}: ${line.trim()}`)
  })
  expect(files.length).toBeGreaterThan(50)
  expect(loose).toEqual([])
})
