import { millrace, type App, type MillraceEvent, type QueueOptions, type Transport } from '../src/index.ts'

export const type = 'order.placed'
export const queueName = 'billing'

/** An app with one queue, two middlewares and a handler that does nothing but call `handled`. */
export function appOn(
  transport: Transport,
  handled: (event: MillraceEvent) => void,
  options: QueueOptions = {},
  names = { queue: queueName, type },
): App {
  const app = millrace({ transport, logger: false })
  app
    .queue(names.queue, options)
    .use((_event, _ctx, next) => next())
    .use((_event, _ctx, next) => next())
    .on(names.type, async (event) => handled(event))
  return app
}
