import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compileFiles, type Compiled } from '../compile.ts'
import { root } from '../imports.ts'
import { readPages } from '../pages.ts'
import { describeUnless, describeWithServer } from '../servers/describe-with-server.ts'
import { generatePrismaClient, whyNoPrisma } from './prisma-client.ts'

/*
 * The libraries' own types against ours, and the examples of docs/transactions.md, which are compiled with them and run. Not in
 * the compiler's run over the whole project: Drizzle's declarations do not hold on its settings, and Prisma's are generated.
 */

const page = readPages().get('docs/transactions.md')!
/** The examples, by the names that their first lines give them. */
const examples = Object.fromEntries(
  page.blocks.map(({ code }) => [/^\/\/ (\S+\.ts)\n/.exec(code)![1]!, code] as const),
)

const head = `
import type { PgDatabase, PgTransaction } from 'drizzle-orm/pg-core'
import { drizzle } from 'drizzle-orm/node-postgres'
import { drizzle as drizzleJs } from 'drizzle-orm/postgres-js'
import type { Knex } from 'knex'
import type { ControlledTransaction, Kysely, Transaction } from 'kysely'
import type { Client, Pool, PoolClient } from 'pg'
import type { ReservedSql, Sql, TransactionSql } from 'postgres'
import type { PostgresTransaction } from 'millrace/postgres'
import type { Prisma, PrismaClient } from './client/client.ts'
import { app } from './app.ts'
interface Tables { orders: { id: string } }
const schema = {}
type InDrizzle = Parameters<Parameters<ReturnType<typeof drizzle<typeof schema>>['transaction']>[0]>[0]
type InDrizzleJs = Parameters<Parameters<ReturnType<typeof drizzleJs<typeof schema>>['transaction']>[0]>[0]
declare function given<T>(): T
/** any and never would fit whatever they stand for. */
type IsSomething<T> = 0 extends 1 & T ? false : [T] extends [never] ? false : true
const extended = given<PrismaClient>().$extends({ model: { order: { count: async () => 1 } } })
type InExtended = Parameters<Parameters<typeof extended.$transaction>[0]>[0]
const publish = (transaction: PostgresTransaction) => app.publish('order.placed', { orderId: '7' }, { transaction })
`

const fitting = [
  'Client',
  'PoolClient',
  'TransactionSql',
  'TransactionSql<{ bigint: bigint }>',
  'Transaction<Tables>',
  'ControlledTransaction<Tables>',
  'InDrizzle',
  'InDrizzleJs',
  'PgTransaction<any, any, any>',
  'Knex.Transaction',
  'Prisma.TransactionClient',
  'InExtended',
]
const others = [
  'Pool',
  'Sql',
  'ReservedSql',
  'Kysely<Tables>',
  'ReturnType<typeof drizzle>',
  'PgDatabase<any, any, any>',
  'Knex',
  'PrismaClient',
  'string',
  'object',
  'Promise<PoolClient>',
]

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
    skipLibCheck: true,
  },
}

const noPrisma = await whyNoPrisma()

await describeWithServer('postgres', (server) => {
  describeUnless(noPrisma, 'with prisma', () => testsOn(server))
})

function testsOn(server: string): void {
  let prisma: Awaited<ReturnType<typeof generatePrismaClient>>
  beforeAll(async () => {
    prisma = await generatePrismaClient()
  }, 180_000)
  afterAll(() => prisma[Symbol.asyncDispose]())

  describe('the type of', () => {
    let compiled: Compiled
    beforeAll(async () => {
      const lines = [...fitting, ...others].map(
        (type) => `void publish(given<${type}>()), true satisfies IsSomething<${type}>`,
      )
      const generated = readdirSync(join(prisma.folder, 'client'), { recursive: true, encoding: 'utf8' })
        .filter((name) => name.endsWith('.ts'))
        .map((name) => [`client/${name}`, readFileSync(join(prisma.folder, 'client', name), 'utf8')])
      compiled = await compileFiles(
        {
          'package.json': '{ "type": "module" }',
          ...Object.fromEntries(generated),
          ...examples,
          'types.ts': head + lines.join('\n'),
        },
        { config },
      )
    }, 120_000)
    const errorsAt = (line: number): readonly string[] =>
      compiled.errors
        .filter((error) => error.line === line && error.text.includes('types.ts'))
        .map(({ text }) => text)
    const lineOf = (index: number): number => head.split('\n').length + index

    test.each(fitting.map((type, i) => [type, i] as const))('%s is one of a transaction', (_type, i) => {
      expect(errorsAt(lineOf(i))).toEqual([])
    })

    test.each(others.map((type, i) => [type, i] as const))('%s is not', (_type, i) => {
      const errors = errorsAt(lineOf(fitting.length + i))
      expect(errors).toEqual([
        expect.stringContaining("not assignable to parameter of type 'PostgresTransaction'"),
      ])
    })

    test('all else compiles, the examples with it', () => {
      expect(compiled.errors.filter(({ text }) => !text.includes('PostgresTransaction'))).toEqual([])
    })
  })

  test('each example writes an order and publishes its event', async () => {
    const { folder } = prisma
    mkdirSync(join(folder, 'examples'))
    cpSync(join(folder, 'client'), join(folder, 'examples', 'client'), { recursive: true })
    for (const [name, code] of Object.entries(examples)) writeFileSync(join(folder, 'examples', name), code)
    mkdirSync(join(folder, 'examples', 'node_modules'))
    symlinkSync(root, join(folder, 'examples', 'node_modules', 'millrace'), 'junction')
    const names = Object.keys(examples).filter((name) => name !== 'app.ts')
    expect(names).toHaveLength(6)
    const calls = names.map((name) => `await (await import('./${name}')).placeOrder('${name}')`)
    writeFileSync(join(folder, 'examples', 'main.ts'), `${calls.join('\n')}\nprocess.exit()\n`)

    const database = `docs_${randomUUID().replaceAll('-', '')}`
    const url = server.replace(/\/[^/]*$/, `/${database}`)
    await using admin = await connected(server)
    await admin.client.query(`CREATE DATABASE ${database}`)
    try {
      await using shop = await connected(url)
      await shop.client.query('CREATE TABLE orders (id text PRIMARY KEY)')
      await promisify(execFile)(process.execPath, ['main.ts'], {
        cwd: join(folder, 'examples'),
        env: { ...process.env, DATABASE_URL: url },
      })
      const { rows } = await shop.client.query<{ id: string; data: string }>(
        "SELECT o.id, u.data FROM orders o JOIN millrace.unrouted u ON u.data::json ->> 'orderId' = o.id ORDER BY u.seq",
      )
      expect(rows).toEqual(names.map((id) => ({ id, data: JSON.stringify({ orderId: id }) })))
    } finally {
      await admin.client.query(`DROP DATABASE ${database} WITH (FORCE)`)
    }
  }, 60_000)
}

async function connected(url: string): Promise<{ readonly client: Client } & AsyncDisposable> {
  const client = new Client(url)
  // Ends with its database.
  client.on('error', () => undefined)
  await client.connect()
  return { client, [Symbol.asyncDispose]: () => client.end() }
}
