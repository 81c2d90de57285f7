import { memory } from '../src/adapters/memory/index.ts'
import type { Session, Transport } from '../src/contract/transport.ts'

type Method = (...args: never[]) => unknown
/** Stands before a method: `call` calls the real one, with the same arguments or others. */
type Fault<F> = F extends Method ? (call: F, ...args: Parameters<F>) => ReturnType<F> : never
type Faults<T, K extends keyof T> = { [P in K]?: Fault<NonNullable<T[P]>> }

export type TransportFaults = Faults<Transport, 'declare' | 'publish' | 'open' | 'close'>
export type SessionFaults = Faults<Session, 'exchange' | 'ready' | 'settle' | 'extend' | 'quiesce' | 'close'>

/**
 * The real memory transport, or another, all of it, with faults let in where a test names them. Both objects may be changed
 * while it is in use.
 */
export function faultyTransport(
  faults: TransportFaults = {},
  session: SessionFaults = {},
  transport: Transport = memory(),
): Transport {
  const open: TransportFaults['open'] = async (call, queue, options) =>
    beside(await (faults.open ?? ((real, ...args) => real(...args)))(call, queue, options), session)
  return beside(
    transport,
    new Proxy(faults, { get: (target, name) => (name === 'open' ? open : Reflect.get(target, name)) }),
  )
}

/** The object with functions before its methods, as `Faults` has them. Its own private fields stay within reach of its own methods. */
export function beside<T extends object>(real: T, faults: object): T {
  return new Proxy(real, {
    get(target, name) {
      const own: unknown = Reflect.get(target, name, target)
      if (typeof own !== 'function') return own
      const call = own.bind(target) as Method
      return (...args: never[]) => {
        const fault = (
          faults as Record<PropertyKey, ((call: Method, ...args: never[]) => unknown) | undefined>
        )[name]
        return fault === undefined ? call(...args) : fault(call, ...args)
      }
    },
  })
}

/** Resolves never, and holds nothing. */
export const never = (): Promise<never> => new Promise(() => undefined)
