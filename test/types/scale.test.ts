import { expect, test } from 'vitest'
import { asInProject, compile } from '../compile.ts'

/*
 * The compiler's work must grow with the catalog, not with its square. Counted in instantiations, which are the same on
 * every machine.
 */

const imports = `
import { z } from 'zod'
import { defineEvents, millrace, pipeline, type Middleware } from '../../../src/index.ts'
declare const log: Middleware
`

/** As many event types as handlers; every other one a pipeline. */
function shop(size: number): string {
  const numbers = Array.from({ length: size }, (_, i) => i)
  const types = numbers.map((i) => `  't${i % 30}.e${i}': z.object({ id: z.string(), n${i}: z.number() }),\n`)
  const handlers = numbers.map((i) => {
    const handler = `async (event, ctx) => { await ctx.publish('t${i % 30}.e${i}', { id: event.id, n${i}: event.data.n${i} + 1 }) }`
    return `app.queue('q${i}').on('t${i % 30}.e${i}', ${i % 2 === 0 ? handler : `pipeline(log, ${handler})`})\n`
  })
  return `${imports}const events = defineEvents({\n${types.join('')}})\nconst app = millrace({ transport: 'memory:', events })\n${handlers.join('')}`
}

async function instantiations(size: number): Promise<number> {
  const { errors, output } = await compile(shop(size), {
    config: asInProject,
    flags: ['--extendedDiagnostics'],
  })
  expect(errors).toEqual([])
  return Number(/^Instantiations:\s+(\d+)/m.exec(output)?.[1])
}

test('300 event types with 300 handlers cost three times what 100 do', async () => {
  const [few, more, many] = [await instantiations(100), await instantiations(200), await instantiations(300)]
  const step = more - few
  expect(step).toBeGreaterThan(10_000)
  expect(many - more).toBeLessThan(1.2 * step)
}, 120_000)
