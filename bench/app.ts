import { millrace, type App, type QueueOptions, type Transport } from '../src/index.ts'

export const type = 'order.placed'
const queueName = 'billing'

/** An app with one queue, two middlewares and a handler that does nothing but call `handled`. */
export function appOn(transport: Transport, handled: () => void, options: QueueOptions = {}): App {
  const app = millrace({ transport, logger: false })
  app
    .queue(queueName, options)
    .use((_event, _ctx, next) => next())
    .use((_event, _ctx, next) => next())
    .on(type, async () => handled())
  return app
}
