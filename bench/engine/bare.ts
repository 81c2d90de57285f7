import { type } from '../app.ts'
import { order, timed } from '../load.ts'
import type { Run } from '../row.ts'

interface Plain {
  readonly type: string
  readonly data: unknown
}
type Call = (event: Plain, next: () => Promise<unknown>) => Promise<unknown>

const width = 16

/** What is left of handling an event when nothing is promised: a look-up and calls that are awaited. */
export function bareCalls(serialises: boolean): Run {
  return async (count) => {
    let handled = 0
    const first: Call = (_event, next) => next()
    const second: Call = (_event, next) => next()
    const handlers = new Map([[type, async (_event: Plain): Promise<number> => ++handled]])
    let next = 0
    const worker = async (): Promise<void> => {
      while (next < count) {
        const n = next++
        const event: Plain = { type, data: serialises ? JSON.stringify(order(n)) : undefined }
        const handler = handlers.get(event.type)
        await first(event, () => second(event, async () => handler?.(event)))
      }
    }
    const spent = await timed(() => Promise.all(Array.from({ length: width }, worker)))
    return { ...spent, events: handled }
  }
}
