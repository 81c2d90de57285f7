import type { Context } from '../../src/index.ts'
import type { Received, SettleResult, Settlement, Transport } from '../../src/contract/transport.ts'
import { handledOf } from '../../src/receive/context.ts'
import type { Held } from '../../src/receive/held.ts'
import { beside, type SessionFaults, type TransportFaults } from '../faulty-transport.ts'
import type { ClaimedEvent, Happening } from './history.ts'

/** A transport that writes down what passes between it and the engine: what was claimed, and what became of it. */
export interface Recorded {
  readonly transport: Transport
  /** The number of the hand-out that this handler is called for. */
  runOf(ctx: Context): number
  /** What was handed out last, by the event's id. */
  readonly latest: ReadonlyMap<string, ClaimedEvent>
}

export function recorded(transport: Transport, write: (happening: Happening) => void): Recorded {
  const runs = new WeakMap<Received, number>()
  const latest = new Map<string, ClaimedEvent>()
  let last = 0
  const runFor = (received: Received): number => {
    const run = runs.get(received) ?? ++last
    runs.set(received, run)
    return run
  }

  function claimed(queue: string, received: readonly Received[]): void {
    const events = received.map((one) => {
      const { id, attempt, lapsed } = one
      return { run: runFor(one), id, attempt, lapsed }
    })
    for (const event of events) latest.set(event.id, event)
    write({ what: 'claimed', queue, events })
  }

  function settled(list: readonly Settlement[], results: readonly SettleResult[] | undefined): void {
    const answers = list.map(({ of, as }, i) => {
      const result = results?.[i] ?? 'done'
      return { run: runFor(of), as, result: typeof result === 'string' ? result : result.code }
    })
    if (answers.length > 0) write({ what: 'settled', answers })
  }

  const session = (queue: string): SessionFaults => ({
    async exchange(call, request) {
      const asks = (request.lapsed ?? 0) > 0
      if (asks) write({ what: 'asked', queue })
      // Who asks and gets no answer may have been given something, until he asks again.
      const result = await call(request)
      settled(request.settle, result.settled)
      if (asks || result.received.length > 0) claimed(queue, result.received)
      return result
    },
    async settle(call, list) {
      const results = await call(list)
      settled(list, results)
      return results
    },
    close(call, options) {
      write({ what: 'parting', queue, keep: (options?.keep ?? []).map(runFor) })
      return call(options)
    },
  })
  const open: TransportFaults['open'] = async (call, queue, options) =>
    beside(await call(queue, options), session(queue))
  return {
    transport: beside(transport, { open }),
    runOf: (ctx) => runFor((handledOf(ctx) as Held).received),
    latest,
  }
}
