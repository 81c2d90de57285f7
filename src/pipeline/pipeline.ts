import {
  compose,
  type Handler as UntypedHandler,
  type Middleware as UntypedMiddleware,
} from '../receive/chain.ts'
import type { MillraceEvent } from '../event/event.ts'
import type { AddedBy, Context, EventAfter, Handler, Layer } from '../receive/typed.ts'

/**
 * Middlewares for one handler, outermost first: each may pass on another event, or add to the context of what follows.
 * @example app.queue('mail').on('order.paid', pipeline(withCustomer, (event, ctx) => send(ctx.customer, event.data)))
 */
export function pipeline<E = MillraceEvent, C = Context>(handler: Handler<E, C>): Handler<E, C>
export function pipeline<E = MillraceEvent, C = Context, R1 = unknown>(
  m1: Layer<E, C, R1>,
  handler: Handler<EventAfter<R1, E>, C & AddedBy<R1>>,
): Handler<E, C>
export function pipeline<E = MillraceEvent, C = Context, R1 = unknown, R2 = unknown>(
  m1: Layer<E, C, R1>,
  m2: Layer<EventAfter<R1, E>, C & AddedBy<R1>, R2>,
  handler: Handler<EventAfter<R2, EventAfter<R1, E>>, C & AddedBy<R1> & AddedBy<R2>>,
): Handler<E, C>
export function pipeline<E = MillraceEvent, C = Context, R1 = unknown, R2 = unknown, R3 = unknown>(
  m1: Layer<E, C, R1>,
  m2: Layer<EventAfter<R1, E>, C & AddedBy<R1>, R2>,
  m3: Layer<EventAfter<R2, EventAfter<R1, E>>, C & AddedBy<R1> & AddedBy<R2>, R3>,
  handler: Handler<
    EventAfter<R3, EventAfter<R2, EventAfter<R1, E>>>,
    C & AddedBy<R1> & AddedBy<R2> & AddedBy<R3>
  >,
): Handler<E, C>
export function pipeline<
  E = MillraceEvent,
  C = Context,
  R1 = unknown,
  R2 = unknown,
  R3 = unknown,
  R4 = unknown,
>(
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
export function pipeline<
  E = MillraceEvent,
  C = Context,
  R1 = unknown,
  R2 = unknown,
  R3 = unknown,
  R4 = unknown,
  R5 = unknown,
>(
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
export function pipeline<
  E = MillraceEvent,
  C = Context,
  R1 = unknown,
  R2 = unknown,
  R3 = unknown,
  R4 = unknown,
  R5 = unknown,
  R6 = unknown,
>(
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
export function pipeline<
  E = MillraceEvent,
  C = Context,
  R1 = unknown,
  R2 = unknown,
  R3 = unknown,
  R4 = unknown,
  R5 = unknown,
  R6 = unknown,
  R7 = unknown,
>(
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
