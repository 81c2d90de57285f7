import {
  compose,
  type Handler as UntypedHandler,
  type Middleware as UntypedMiddleware,
} from '../receive/chain.ts'
import type { AddedBy, EventAfter, Handler, Layer } from '../receive/typed.ts'

/**
 * Middlewares for one handler, outermost first: each may pass on another event, or add to the context of what follows.
 * @example app.queue('mail').on('order.paid', pipeline(withCustomer, (event, ctx) => send(ctx.customer, event.data)))
 */
export function pipeline<E, C>(handler: Handler<E, C>): Handler<E, C>
export function pipeline<E, C, R1>(
  m1: Layer<E, C, R1>,
  handler: Handler<EventAfter<R1, E>, C & AddedBy<R1>>,
): Handler<E, C>
export function pipeline<E, C, R1, R2>(
  m1: Layer<E, C, R1>,
  m2: Layer<EventAfter<R1, E>, C & AddedBy<R1>, R2>,
  handler: Handler<EventAfter<R2, EventAfter<R1, E>>, C & AddedBy<R1> & AddedBy<R2>>,
): Handler<E, C>
export function pipeline<E, C, R1, R2, R3>(
  m1: Layer<E, C, R1>,
  m2: Layer<EventAfter<R1, E>, C & AddedBy<R1>, R2>,
  m3: Layer<EventAfter<R2, EventAfter<R1, E>>, C & AddedBy<R1> & AddedBy<R2>, R3>,
  handler: Handler<
    EventAfter<R3, EventAfter<R2, EventAfter<R1, E>>>,
    C & AddedBy<R1> & AddedBy<R2> & AddedBy<R3>
  >,
): Handler<E, C>
export function pipeline<E, C, R1, R2, R3, R4>(
  m1: Layer<E, C, R1>,
  m2: Layer<EventAfter<R1, E>, C & AddedBy<R1>, R2>,
  m3: Layer<EventAfter<R2, EventAfter<R1, E>>, C & AddedBy<R1> & AddedBy<R2>, R3>,
  m4: Layer<
    EventAfter<R3, EventAfter<R2, EventAfter<R1, E>>>,
    C & AddedBy<R1> & AddedBy<R2> & AddedBy<R3>,
    R4
  >,
  handler: Handler<
    EventAfter<R4, EventAfter<R3, EventAfter<R2, EventAfter<R1, E>>>>,
    C & AddedBy<R1> & AddedBy<R2> & AddedBy<R3> & AddedBy<R4>
  >,
): Handler<E, C>
export function pipeline<E, C, R1, R2, R3, R4, R5>(
  m1: Layer<E, C, R1>,
  m2: Layer<EventAfter<R1, E>, C & AddedBy<R1>, R2>,
  m3: Layer<EventAfter<R2, EventAfter<R1, E>>, C & AddedBy<R1> & AddedBy<R2>, R3>,
  m4: Layer<
    EventAfter<R3, EventAfter<R2, EventAfter<R1, E>>>,
    C & AddedBy<R1> & AddedBy<R2> & AddedBy<R3>,
    R4
  >,
  m5: Layer<
    EventAfter<R4, EventAfter<R3, EventAfter<R2, EventAfter<R1, E>>>>,
    C & AddedBy<R1> & AddedBy<R2> & AddedBy<R3> & AddedBy<R4>,
    R5
  >,
  handler: Handler<
    EventAfter<R5, EventAfter<R4, EventAfter<R3, EventAfter<R2, EventAfter<R1, E>>>>>,
    C & AddedBy<R1> & AddedBy<R2> & AddedBy<R3> & AddedBy<R4> & AddedBy<R5>
  >,
): Handler<E, C>
export function pipeline<E, C, R1, R2, R3, R4, R5, R6>(
  m1: Layer<E, C, R1>,
  m2: Layer<EventAfter<R1, E>, C & AddedBy<R1>, R2>,
  m3: Layer<EventAfter<R2, EventAfter<R1, E>>, C & AddedBy<R1> & AddedBy<R2>, R3>,
  m4: Layer<
    EventAfter<R3, EventAfter<R2, EventAfter<R1, E>>>,
    C & AddedBy<R1> & AddedBy<R2> & AddedBy<R3>,
    R4
  >,
  m5: Layer<
    EventAfter<R4, EventAfter<R3, EventAfter<R2, EventAfter<R1, E>>>>,
    C & AddedBy<R1> & AddedBy<R2> & AddedBy<R3> & AddedBy<R4>,
    R5
  >,
  m6: Layer<
    EventAfter<R5, EventAfter<R4, EventAfter<R3, EventAfter<R2, EventAfter<R1, E>>>>>,
    C & AddedBy<R1> & AddedBy<R2> & AddedBy<R3> & AddedBy<R4> & AddedBy<R5>,
    R6
  >,
  handler: Handler<
    EventAfter<R6, EventAfter<R5, EventAfter<R4, EventAfter<R3, EventAfter<R2, EventAfter<R1, E>>>>>>,
    C & AddedBy<R1> & AddedBy<R2> & AddedBy<R3> & AddedBy<R4> & AddedBy<R5> & AddedBy<R6>
  >,
): Handler<E, C>
export function pipeline<E, C, R1, R2, R3, R4, R5, R6, R7>(
  m1: Layer<E, C, R1>,
  m2: Layer<EventAfter<R1, E>, C & AddedBy<R1>, R2>,
  m3: Layer<EventAfter<R2, EventAfter<R1, E>>, C & AddedBy<R1> & AddedBy<R2>, R3>,
  m4: Layer<
    EventAfter<R3, EventAfter<R2, EventAfter<R1, E>>>,
    C & AddedBy<R1> & AddedBy<R2> & AddedBy<R3>,
    R4
  >,
  m5: Layer<
    EventAfter<R4, EventAfter<R3, EventAfter<R2, EventAfter<R1, E>>>>,
    C & AddedBy<R1> & AddedBy<R2> & AddedBy<R3> & AddedBy<R4>,
    R5
  >,
  m6: Layer<
    EventAfter<R5, EventAfter<R4, EventAfter<R3, EventAfter<R2, EventAfter<R1, E>>>>>,
    C & AddedBy<R1> & AddedBy<R2> & AddedBy<R3> & AddedBy<R4> & AddedBy<R5>,
    R6
  >,
  m7: Layer<
    EventAfter<R6, EventAfter<R5, EventAfter<R4, EventAfter<R3, EventAfter<R2, EventAfter<R1, E>>>>>>,
    C & AddedBy<R1> & AddedBy<R2> & AddedBy<R3> & AddedBy<R4> & AddedBy<R5> & AddedBy<R6>,
    R7
  >,
  handler: Handler<
    EventAfter<
      R7,
      EventAfter<R6, EventAfter<R5, EventAfter<R4, EventAfter<R3, EventAfter<R2, EventAfter<R1, E>>>>>>
    >,
    C & AddedBy<R1> & AddedBy<R2> & AddedBy<R3> & AddedBy<R4> & AddedBy<R5> & AddedBy<R6> & AddedBy<R7>
  >,
): Handler<E, C>
export function pipeline(...steps: readonly unknown[]): UntypedHandler {
  return compose(steps.slice(0, -1) as UntypedMiddleware[], steps.at(-1) as UntypedHandler)
}
