import type { Received } from '../src/contract/transport.ts'
import { Held, type Holder } from '../src/receive/held.ts'

const holder: Holder = {
  queue: 'q',
  extend: async () => undefined,
  notice: () => undefined,
  begins: () => undefined,
}

/** An event in the hands of a process, where only its identity and key matter. */
export function held(id: string, key?: string, more: Partial<Received> = {}, holds = holder): Held {
  const head = { source: '/s', topic: 'a', time: 0 }
  const received: Received = {
    id,
    type: 'a.b',
    key,
    attempt: 1,
    lapsed: false,
    head,
    data: '1',
    trail: undefined,
    ...more,
  }
  return new Held(received, undefined, Number.POSITIVE_INFINITY, holds)
}
