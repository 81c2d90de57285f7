import { milliseconds, type Duration } from '../clock/duration.ts'

/** Holds the delay on every copy of an event that was made with one, spreads included. */
export const delayOf: unique symbol = Symbol.for('millrace.delay') as never

export interface Delay {
  readonly milliseconds: number
  /** The date that was made of it. With another one, the event has no delay any more. */
  readonly deliverAt: number
}

/** How much later than it is published an event is to be delivered, in milliseconds; undefined if nobody has said it so. */
export function delayIn(event: {
  readonly deliverAt?: Date
  readonly [delayOf]?: Delay
}): number | undefined {
  const delay = event[delayOf]
  return delay?.deliverAt === event.deliverAt?.getTime() ? delay?.milliseconds : undefined
}

/** Whole milliseconds, never fewer than were asked for. @throws MillraceError INVALID_OPTION */
export function delayFrom({ delay }: { readonly delay?: Duration }): number | undefined {
  return delay === undefined ? undefined : Math.ceil(milliseconds(delay, 'delay'))
}
