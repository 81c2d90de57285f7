import { beforeAll, describe, expect, test } from 'vitest'
import { asInProject, compile, type Compiled } from '../compile.ts'

/*
 * What users read when they make a mistake: that it is refused is one thing, that the message says what is wrong is another.
 * Each mistake stands on one line of one file, so that the compiler has to run only once.
 */

const head = `
import { z } from 'zod'
import { defineEvents, millrace, unchecked, type HandlerOf, type Transport } from '../../../src/index.ts'
import { memory } from '../../../src/adapters/memory/index.ts'
declare const postgres: Transport<{ query(text: string): Promise<unknown> }>
const events = defineEvents({
  'order.placed': z.object({ orderId: z.string(), total: z.number() }),
  'order.paid': z.object({ orderId: z.string() }),
})
const app = millrace({ transport: memory(), events })
const inSql = millrace({ transport: postgres, events })
declare const withDb: HandlerOf<typeof events, 'order.placed', { db: number }>
`

const mistakes: Readonly<Record<string, { readonly code: string; readonly says: readonly string[] }>> = {
  'data of the wrong type': {
    code: "app.publish('order.placed', { orderId: '1', total: '1' })",
    says: ["Type 'string' is not assignable to type 'number'"],
  },
  'a misspelt property': {
    code: "app.publish('order.placed', { orderId: '1', totl: 1 })",
    says: ["'totl' does not exist", "Did you mean to write 'total'?"],
  },
  'a missing property': {
    code: "app.publish('order.placed', { orderId: '1' })",
    says: ["Property 'total' is missing"],
  },
  'a misspelt type in publish': {
    code: "app.publish('order.plcaed', { orderId: '1', total: 1 })",
    says: [`'"order.plcaed"' is not assignable to parameter of type '"order.paid" | "order.placed"'`],
  },
  'a misspelt type in on': {
    code: "app.queue('a').on('order.plcaed', () => {})",
    says: [`'"order.plcaed"' is not assignable`, `'"*" | "order.*" | "order.paid" | "order.placed"'`],
  },
  'a prefix of no type': {
    code: "app.queue('a').on('orders.*', () => {})",
    says: [`'"*" | "order.*" | "order.paid" | "order.placed"'`],
  },
  'wrong data in create': {
    code: "events.create('order.paid', { orderId: 1 })",
    says: ["Type 'number' is not assignable to type 'string'"],
  },
  'wrong data in a handler': {
    code: "app.queue('a').on('order.placed', (event, ctx) => ctx.publish('order.paid', { orderid: event.data.orderId }))",
    says: ["'orderid' does not exist", "Did you mean to write 'orderId'?"],
  },
  'reading what the data does not have': {
    code: "app.queue('a').on('order.placed', (event) => event.data.totl)",
    says: [
      "Property 'totl' does not exist on type '{ orderId: string; total: number; }'",
      "Did you mean 'total'?",
    ],
  },
  'a misspelt option of publish': {
    code: "app.publish('order.paid', { orderId: '1' }, { dely: '5m' })",
    says: ["'dely' does not exist in type 'PublishOptions<never>'", "Did you mean to write 'delay'?"],
  },
  'a misspelt option of a queue': {
    code: "app.queue('a', { concurency: 3 })",
    says: ["'concurency' does not exist in type 'QueueOptions'", "Did you mean to write 'concurrency'?"],
  },
  'a duration in words': {
    code: "app.publish('order.paid', { orderId: '1' }, { delay: '5 minutes' })",
    says: [`'"5 minutes"' is not assignable to type 'Duration`],
  },
  'a transaction where there are none': {
    code: "app.publish('order.paid', { orderId: '1' }, { transaction: { query: 1 } })",
    says: ["is not assignable to type 'undefined'"],
  },
  'a transaction of something else': {
    code: "inSql.publish('order.paid', { orderId: '1' }, { transaction: { qeury: 1 } })",
    says: ["'qeury' does not exist", "Did you mean to write 'query'?"],
  },
  'promises in place of outcomes': {
    code: "app.queue('a').onBatch('order.paid', {}, (batch) => batch.map(async (event) => event.id))",
    says: ["Type 'Promise<string>[]' is not assignable to type", "'PromiseSettledResult<unknown>'"],
  },
  'what no middleware added': {
    code: "app.queue('a').use(async (e, _ctx, next) => next(e, { db: 1 })).on('order.paid', (_e, ctx) => ctx.cache)",
    says: ["Property 'cache' does not exist"],
  },
  'a handler whose middleware is missing': {
    code: "app.queue('a').on('order.placed', withDb)",
    says: ["Property 'db' is missing"],
  },
  'a date that would arrive as text': {
    code: "defineEvents({ 'a.b': z.object({ when: z.date() }) })",
    says: [`'this cannot travel as JSON': "data.when"`],
  },
  'a big integer deep inside': {
    code: "defineEvents({ 'a.b': z.object({ items: z.array(z.object({ price: z.bigint() })) }) })",
    says: [`'this cannot travel as JSON': "data.items[].price"`],
  },
  'a map': {
    code: "defineEvents({ 'a.b': unchecked<{ byName: Map<string, number> }>() })",
    says: [`'this cannot travel as JSON': "data.byName"`],
  },
  'what is no schema': {
    code: "defineEvents({ 'a.b': 5 })",
    says: ["'StandardSchemaV1"],
  },
}

describe('the compiler refuses, and says why:', () => {
  let compiled: Compiled
  const lines = head.split('\n').length
  beforeAll(async () => {
    compiled = await compile(
      head +
        Object.values(mistakes)
          .map(({ code }) => `${code}\n`)
          .join(''),
      { config: asInProject },
    )
  }, 60_000)

  test.each(Object.entries(mistakes).map(([name, { says }], i) => ({ name, says, line: lines + i })))(
    '$name',
    ({ says, line }) => {
      const [error, ...others] = compiled.errors.filter((one) => one.line === line)
      expect(others).toEqual([])
      for (const phrase of says) expect(error?.text).toContain(phrase)
    },
  )

  test('and nothing else', () => {
    expect(compiled.errors.map((error) => error.line)).toEqual(Object.keys(mistakes).map((_, i) => lines + i))
  })
})
