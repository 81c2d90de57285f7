/*
 * What the pages show compiles against the package, as a reader's project would compile it, and their links lead somewhere.
 * Examples import millrace by its name, which leads to dist: `npm test` has it built when it is not up to date.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { dirname, normalize } from 'node:path/posix'
import { beforeAll, describe, expect, test } from 'vitest'
import { compileFiles, type Compiled } from './compile.ts'
import { root } from './imports.ts'
import { parsePage, readPages, type Page } from './pages.ts'

const pages = readPages()

/** What the pages speak of and do not make: the app of the quick start, and what the reader has of his own. */
const names = `
import type { DatabaseSync } from 'node:sqlite'
import type { MillraceEvent, Transport } from 'millrace'
import type { HttpIngressOptions } from 'millrace/http'
import type { Pool } from 'pg'
import type { expect as vitestExpect } from 'vitest'
import type quickStart from './README.md/app.ts'

declare global {
  const app: typeof quickStart
  const mine: (options: { readonly url: string }) => Transport
  const expect: typeof vitestExpect

  const pool: Pool
  const ship: (db: Pool, order: { readonly orderId: string }) => Promise<void>
  const store: (event: MillraceEvent) => Promise<void>
  const alert: (queue: string, message: string) => void
  const db: DatabaseSync
  const id: string
  const url: string
  const secret: string
  const toEvent: NonNullable<HttpIngressOptions['toEvent']>
}
`

/** The example that the page takes its reader through. */
const example = `export * from '${'../'.repeat(5)}examples/custom-transport/array-transport.ts'\n`

/** In place of the client that Prisma generates, with which test/postgres/transaction-types.test.ts compiles the page. */
const prismaClient = `
interface Queries {
  readonly order: { create(row: { data: { id: string } }): Promise<unknown> }
  $queryRawUnsafe(query: string, ...values: unknown[]): Promise<unknown>
}
export declare class PrismaClient {
  constructor(options: { adapter: object })
  $transaction(run: (tx: Queries) => Promise<void>): Promise<void>
}
`

const config = {
  compilerOptions: {
    target: 'es2023',
    lib: ['es2024', 'esnext.disposable'],
    types: ['node'],
    module: 'nodenext',
    moduleDetection: 'force',
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    allowImportingTsExtensions: true,
    noEmit: true,
    skipLibCheck: true, // declarations.test.ts looks at these
  },
}

/**
 * Each block as a module in a folder of its page, under the name that its first line gives it (`// app.ts`). It stands at the
 * line where the page has it, so that the compiler's errors name that.
 */
function modulesOf(path: string, page: Page): Readonly<Record<string, string>> {
  const modules = page.blocks
    .filter((block) => block.language === 'ts')
    .map(({ line, code }) => {
      const name = /^\/\/ (\S+\.ts)\n/.exec(code)?.[1] ?? `line-${line}.ts`
      return [`${path}/${name}`, '\n'.repeat(line - 1) + code] as const
    })
  expect(new Set(modules.map(([name]) => name)).size).toBe(modules.length)
  return Object.fromEntries(modules)
}

describe('code in the pages', () => {
  const wrong = parsePage('# Wrong\n\n```ts\napp.publish("order.placed", { orderId: 7 })\n```\n')
  let compiled: Compiled

  beforeAll(async () => {
    const modules = [...pages, ['wrong.md', wrong] as const].map(([path, page]) => modulesOf(path, page))
    compiled = await compileFiles(
      {
        'package.json': '{ "type": "module" }',
        'names.ts': names,
        'docs/writing-a-transport.md/array-transport.ts': example,
        'docs/transactions.md/client/client.ts': prismaClient,
        ...Object.assign({}, ...modules),
      },
      { config },
    )
  }, 60_000)

  test('compiles, on strict settings; a mistake is found on its line of the page', () => {
    expect(compiled.errors).toEqual([{ line: 4, text: expect.stringContaining('/wrong.md/') }])
  })

  test.each([...pages])('%s says of each block what it is, so that none is passed over', (_path, page) => {
    const languages = page.blocks.map((block) => block.language)
    expect(languages.filter((language) => !['ts', 'sh', 'json', ''].includes(language))).toEqual([])
    const bare = page.blocks.filter((block) => block.language === '')
    expect(bare.filter(({ code }) => /^\s*(import|const|await) /m.test(code))).toEqual([])
  })

  test('README.md and the pages of docs have some', () => {
    const having = [...pages].filter(([, page]) => page.blocks.some((block) => block.language === 'ts'))
    expect(having.map(([path]) => path)).toEqual(
      expect.arrayContaining(['README.md', 'docs/http.md', 'docs/testing.md', 'docs/transports/README.md']),
    )
  })
})

describe('links in the pages', () => {
  const { files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    files: readonly string[]
  }
  const packed = (path: string): boolean =>
    path === 'README.md' || files.some((entry) => path === entry || path.startsWith(`${entry}/`))

  /** What is wrong with a link, if anything. */
  function fault(from: string, link: string): string | undefined {
    const [file = '', anchor] = link.split('#')
    const path = file === '' ? from : normalize(`${dirname(from)}/${file}`)
    if (!existsSync(join(root, path))) return `${link}: there is no ${path}`
    if (!packed(path)) return `${link}: ${path} is not in the package`
    if (anchor === undefined || pages.get(path)?.anchors.includes(anchor)) return undefined
    return `${link}: no heading of ${path} is #${anchor}`
  }

  test.each([...pages])('%s: they lead to files of the package and to their headings', (path, { links }) => {
    const own = links.filter((link) => !/^[a-z]+:/.test(link))
    expect(own.flatMap((link) => fault(path, link) ?? [])).toEqual([])
  })

  test('a wrong link is found', () => {
    const text =
      '[a](gone.md) [b](../test/docs.test.ts) [c](../README.md#nowhere) [d](http.md) [e](../README.md#the-words)'
    expect(parsePage(text).links.map((link) => fault('docs/testing.md', link))).toEqual([
      'gone.md: there is no docs/gone.md',
      '../test/docs.test.ts: test/docs.test.ts is not in the package',
      '../README.md#nowhere: no heading of README.md is #nowhere',
      undefined,
      undefined,
    ])
  })
})
