// app.ts
import { defineEvents, millrace } from 'millrace'
import { z } from 'zod' // or valibot, arktype: anything with Standard Schema

const events = defineEvents({
  'order.placed': z.object({ orderId: z.string(), total: z.number() }),
  'order.paid': z.object({ orderId: z.string() }),
})
const app = millrace({ transport: process.env.MILLRACE_URL ?? 'sqlite:shop.db', events, source: '/shop' })

app.queue('billing', { concurrency: 32 }).on('order.placed', async (event, ctx) => {
  if (Math.random() < 0.5) throw new Error('card declined') // printed, retried with backoff, at last a dead letter
  await ctx.publish('order.paid', { orderId: event.data.orderId }) // typed and validated
})
app.queue('mail').on('order.paid', (event) => console.log(`thank you for ${event.data.orderId}`))

export default app
