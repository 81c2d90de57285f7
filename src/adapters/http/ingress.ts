import { ingressTarget, type IngressSource, type IngressTarget, type Logger } from '../../contract/ingress.ts'
import { isMillraceError, MillraceError, messageOf } from '../../errors/millrace-error.ts'
import type { MillraceEvent } from '../../event/event.ts'
import { checkPattern, matches } from '../../event/names.ts'
import { isRefusal, refusal, taken, unavailable } from './answer.ts'
import { readBody } from './body.ts'
import { eventsOfRequest } from './cloudevents-request.ts'
import { Intake } from './intake.ts'
import { handleInline } from './inline.ts'

type Promisable<T> = T | Promise<T>

/** How requests become events. */
export interface HttpIngressOptions {
  /**
   * What an answer of success means. 'accept' (default): the events are durably queued (202). 'inline': the handlers of
   * every queue that takes them have run (200); nothing is stored, so a failed or dead-lettered event is answered with
   * 500, or 503 and Retry-After, and is the sender's to send again, to every queue.
   */
  readonly mode?: 'accept' | 'inline'
  /** Whether the request is from whom it should be: anything but true is answered with 401. If it throws: 503. Default: all are taken. */
  readonly verify?: (request: Request, bytes: Uint8Array) => Promisable<boolean>
  /**
   * Makes events of posts that are no CloudEvents, of any content type; null for a request that means nothing (204).
   * What it throws is answered with 400; a MillraceError's or SyntaxError's message goes to the sender.
   */
  readonly toEvent?: (
    request: Request,
    bytes: Uint8Array,
  ) => Promisable<MillraceEvent | readonly MillraceEvent[] | null>
  /** The largest body taken, in bytes. Default: 1 MiB. */
  readonly maxBytes?: number
  /** Patterns of the types taken. Default: all. */
  readonly types?: readonly string[]
}

/**
 * A handler of web-standard requests that publishes the CloudEvents POSTed to it (structured, batched or binary), for
 * `serve`, Bun, Deno or any framework. Takes all events of a request or none. Every answer but 204 has a JSON body
 * `{ code, message }`; 202 and 200 also `ids`. It never rejects.
 * @throws MillraceError INVALID_OPTION, INVALID_PATTERN
 * @example const handle = httpIngress(app, { verify: githubSignature(secret), toEvent: (request, bytes) => createEvent(...) })
 */
export function httpIngress(
  app: IngressSource,
  options: HttpIngressOptions = {},
): (request: Request) => Promise<Response> {
  const { mode = 'accept', verify, maxBytes = 2 ** 20 } = options
  if (mode !== 'accept' && mode !== 'inline') {
    throw new MillraceError(
      'INVALID_OPTION',
      `Expected \`mode\` to be 'accept' or 'inline', got ${String(mode)}`,
    )
  }
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 1) {
    throw new MillraceError(
      'INVALID_OPTION',
      `Expected \`maxBytes\` to be a number of bytes, got ${String(maxBytes)}`,
    )
  }
  options.types?.forEach(checkPattern)
  const intake = new Intake(maxBytes)
  let warned = verify !== undefined

  return async (request) => {
    const target = app[ingressTarget]
    if (!warned) {
      warned = true
      target.logger?.warn(
        'HTTP_UNVERIFIED_INGRESS: this HTTP ingress has no `verify`: whoever reaches it can publish',
      )
    }
    let held = 0
    const take = (size: number): void => {
      intake.take(size)
      held += size
    }
    let entered = false
    try {
      if (request.method !== 'POST') throw new MillraceError('HTTP_METHOD', 'Only POST is taken')
      intake.enter()
      entered = true
      if (mode === 'accept') checkRoom(target)
      const bytes = await readBody(request, maxBytes, take)
      if (verify !== undefined && (await verify(request, bytes)) !== true) {
        throw new MillraceError('HTTP_UNVERIFIED', 'The request is not signed, or not by the right sender')
      }
      if (mode === 'accept') checkRoom(target)
      const events = await decode(request, bytes, options, target)
      if (events.length === 0) return new Response(null, { status: 204 })
      return mode === 'inline' ? await handleInline(target, events) : await accept(target, events)
    } catch (error) {
      const refused = refusal(error)
      if (refused !== undefined) return refused
      report(target.logger, 'HTTP_UNAVAILABLE: a request was answered with 503', error)
      return unavailable()
    } finally {
      if (entered) intake.leave(held)
    }
  }
}

/** To read and to decode costs more than to store: a flood of what is refused in the end would leave no time for what is taken. */
function checkRoom(target: IngressTarget): void {
  if (target.overloaded) throw new MillraceError('HTTP_UNAVAILABLE', 'Too many events wait to be taken')
}

async function accept(target: IngressTarget, events: readonly MillraceEvent[]): Promise<Response> {
  await target.publish(events)
  const ids = events.map(({ id }) => id)
  return taken(202, 'ACCEPTED', `${ids.length} accepted`, ids)
}

/** All events of the request, or an error: none is published before all are decoded. */
async function decode(
  request: Request,
  bytes: Uint8Array,
  { toEvent, types }: HttpIngressOptions,
  target: IngressTarget,
): Promise<readonly MillraceEvent[]> {
  const encoding = request.headers.get('content-encoding')?.toLowerCase() ?? 'identity'
  if (encoding !== 'identity') {
    throw new MillraceError('HTTP_MEDIA_TYPE', `The content encoding ${encoding} is not taken`)
  }
  const events =
    toEvent === undefined
      ? eventsOfRequest(request, bytes, { topicOf: (type) => target.topicOf(type) })
      : await foreignEvents(toEvent, request, bytes, target.logger)
  const refused = types && events.find(({ type }) => !types.some((pattern) => matches(pattern, type)))
  if (refused !== undefined)
    throw new MillraceError('HTTP_TYPE_REFUSED', `The type '${refused.type}' is not taken here`)
  return events
}

async function foreignEvents(
  toEvent: NonNullable<HttpIngressOptions['toEvent']>,
  request: Request,
  bytes: Uint8Array,
  logger: Logger | undefined,
): Promise<readonly MillraceEvent[]> {
  try {
    const made = await toEvent(request, bytes)
    if (made === null) return []
    const events: readonly MillraceEvent[] = Array.isArray(made) ? made : [made]
    if (events.every((event) => typeof event?.type === 'string')) return events
    throw new TypeError('toEvent must give an event, an array of events or null')
  } catch (error) {
    if (isRefusal(error)) throw error
    if (error instanceof SyntaxError) throw badRequest(`The body cannot be read: ${error.message}`, error)
    report(logger, 'HTTP_BAD_REQUEST: toEvent failed, so a request was answered with 400', error)
    throw badRequest('The request cannot be made an event', error)
  }
}

function badRequest(message: string, cause: unknown): MillraceError {
  return new MillraceError('HTTP_BAD_REQUEST', message, { cause })
}

/** One line for what has a code; with the stack for what should not have happened. */
function report(logger: Logger | undefined, what: string, error: unknown): void {
  if (isMillraceError(error)) logger?.error(`${what}: ${error.code}: ${error.message}`)
  else logger?.error(`${what}: ${messageOf(error)}`, error)
}
