import {
  compose,
  type Handler as UntypedHandler,
  type Middleware as UntypedMiddleware,
} from '../receive/chain.ts'
import type { Handler, Middleware } from '../receive/typed.ts'

/**
 * Middlewares for one handler, outermost first: each may pass on another event, or add to the context of what follows.
 * @example app.queue('mail').on('order.paid', pipeline(withCustomer, (event, ctx) => send(ctx.customer, event.data)))
 */
export function pipeline<E, C>(handler: Handler<E, C>): Handler<E, C>
export function pipeline<E, C, E1, A1>(
  m1: Middleware<E, C, E1, A1>,
  handler: Handler<E1, C & A1>,
): Handler<E, C>
export function pipeline<E, C, E1, A1, E2, A2>(
  m1: Middleware<E, C, E1, A1>,
  m2: Middleware<E1, C & A1, E2, A2>,
  handler: Handler<E2, C & A1 & A2>,
): Handler<E, C>
export function pipeline<E, C, E1, A1, E2, A2, E3, A3>(
  m1: Middleware<E, C, E1, A1>,
  m2: Middleware<E1, C & A1, E2, A2>,
  m3: Middleware<E2, C & A1 & A2, E3, A3>,
  handler: Handler<E3, C & A1 & A2 & A3>,
): Handler<E, C>
export function pipeline<E, C, E1, A1, E2, A2, E3, A3, E4, A4>(
  m1: Middleware<E, C, E1, A1>,
  m2: Middleware<E1, C & A1, E2, A2>,
  m3: Middleware<E2, C & A1 & A2, E3, A3>,
  m4: Middleware<E3, C & A1 & A2 & A3, E4, A4>,
  handler: Handler<E4, C & A1 & A2 & A3 & A4>,
): Handler<E, C>
export function pipeline<E, C, E1, A1, E2, A2, E3, A3, E4, A4, E5, A5>(
  m1: Middleware<E, C, E1, A1>,
  m2: Middleware<E1, C & A1, E2, A2>,
  m3: Middleware<E2, C & A1 & A2, E3, A3>,
  m4: Middleware<E3, C & A1 & A2 & A3, E4, A4>,
  m5: Middleware<E4, C & A1 & A2 & A3 & A4, E5, A5>,
  handler: Handler<E5, C & A1 & A2 & A3 & A4 & A5>,
): Handler<E, C>
export function pipeline<E, C, E1, A1, E2, A2, E3, A3, E4, A4, E5, A5, E6, A6>(
  m1: Middleware<E, C, E1, A1>,
  m2: Middleware<E1, C & A1, E2, A2>,
  m3: Middleware<E2, C & A1 & A2, E3, A3>,
  m4: Middleware<E3, C & A1 & A2 & A3, E4, A4>,
  m5: Middleware<E4, C & A1 & A2 & A3 & A4, E5, A5>,
  m6: Middleware<E5, C & A1 & A2 & A3 & A4 & A5, E6, A6>,
  handler: Handler<E6, C & A1 & A2 & A3 & A4 & A5 & A6>,
): Handler<E, C>
export function pipeline<E, C, E1, A1, E2, A2, E3, A3, E4, A4, E5, A5, E6, A6, E7, A7>(
  m1: Middleware<E, C, E1, A1>,
  m2: Middleware<E1, C & A1, E2, A2>,
  m3: Middleware<E2, C & A1 & A2, E3, A3>,
  m4: Middleware<E3, C & A1 & A2 & A3, E4, A4>,
  m5: Middleware<E4, C & A1 & A2 & A3 & A4, E5, A5>,
  m6: Middleware<E5, C & A1 & A2 & A3 & A4 & A5, E6, A6>,
  m7: Middleware<E6, C & A1 & A2 & A3 & A4 & A5 & A6, E7, A7>,
  handler: Handler<E7, C & A1 & A2 & A3 & A4 & A5 & A6 & A7>,
): Handler<E, C>
export function pipeline(...steps: readonly unknown[]): UntypedHandler {
  return compose(steps.slice(0, -1) as UntypedMiddleware[], steps.at(-1) as UntypedHandler)
}
