import { expect, test } from 'vitest'
import { Folder, millrace, millraceUrl, start } from '../../test/command.ts'

/** The app of the README; its first attempt fails always, where that one fails half the time. */
const app = `
import { defineEvents, millrace } from '${millraceUrl}'
import { z } from '${import.meta.resolve('zod')}'

const events = defineEvents({
  'order.placed': z.object({ orderId: z.string(), total: z.number() }),
  'order.paid': z.object({ orderId: z.string() }),
})
const app = millrace({ transport: process.env.MILLRACE_URL ?? 'sqlite:shop.db', events, source: '/shop' })

app.queue('billing', { concurrency: 32 }).on('order.placed', async (event, ctx) => {
  if (ctx.attempt === 1) throw new Error('card declined')
  await ctx.publish('order.paid', { orderId: event.data.orderId })
})
app.queue('mail').on('order.paid', (event) => console.log(\`thank you for \${event.data.orderId}\`))

export default app
`

test('two terminals on one file: what one publishes, the other handles', async () => {
  using folder = new Folder()
  const cwd = folder.path
  folder.write('app.ts', app)
  const { child, printed, outcome } = start(['run', 'app.ts'], { cwd })
  await printed('millrace: consuming billing (order.placed), mail (order.paid) from sqlite\n')

  const published = await millrace(['publish', 'app.ts', 'order.placed', '{"orderId":"7","total":10}'], {
    cwd,
  })
  expect(published).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^[0-9a-f-]{36}\n$/) })
  await printed(
    `millrace billing order.placed ${published.stdout.trim()}: attempt 1 failed: card declined; next try in `,
  )
  await printed('thank you for 7\n')

  child.kill('SIGINT')
  expect((await outcome).exitCode).toBe(0)
  const { stdout } = await millrace(['queues', 'app.ts'], { cwd })
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toMatchObject([
    { name: 'billing', depth: 0, inFlight: 0, retrying: 0, dead: 0 },
    { name: 'mail', depth: 0, inFlight: 0, retrying: 0, dead: 0 },
  ])
})
