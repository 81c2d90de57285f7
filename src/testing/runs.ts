import type { MillraceEvent } from '../event/event.ts'
import type { Middleware } from '../receive/chain.ts'

/** Watches the handlers of an app from outside all its middlewares. */
export class Runs {
  readonly #handled = new Map<string, MillraceEvent[]>()
  readonly #running = new Set<string>()
  /** All runs so far. */
  count = 0
  /** The run that began last: queue, type, id and attempt. */
  last = 'none'

  readonly watch: Middleware = async (event, ctx, next) => {
    const name = `'${ctx.queue}' with ${event.type} ${event.id}, attempt ${ctx.attempt}`
    this.count++
    this.last = name
    this.#running.add(name)
    try {
      await next()
    } finally {
      this.#running.delete(name)
    }
    const handled = this.#handled.get(ctx.queue)
    if (handled === undefined) this.#handled.set(ctx.queue, [event])
    else handled.push(event)
  }

  /** Who runs now. */
  get names(): string {
    return [...this.#running].join('; ')
  }

  /** Events of the queue whose handler succeeded, in the order of its ends. */
  handled(queue: string): readonly MillraceEvent[] {
    return [...(this.#handled.get(queue) ?? [])]
  }
}
