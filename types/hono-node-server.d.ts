// The part of @hono/node-server that millrace uses. Its own declarations lead to hono's, which need the DOM
// library: a DOM `Event` in scope is what we will not have, and `skipLibCheck` would hide our own mistakes too.
import type { IncomingMessage, ServerResponse } from 'node:http'

export interface ListenerOptions {
  /** Taken for the URL where a request has no Host header. */
  readonly hostname?: string
  /** Default true: puts its own Request and Response in place of the global ones. */
  readonly overrideGlobalObjects?: boolean
  /** Makes the answer when `fetch` fails, or when a request (RequestError) cannot be handed to it. */
  readonly errorHandler?: (error: unknown) => Promise<Response> | Response
}

/** What `createServer` of node:http takes. A client that goes away aborts the request's signal. */
export function getRequestListener(
  fetch: (request: Request) => Promise<Response> | Response,
  options?: ListenerOptions,
): (incoming: IncomingMessage, outgoing: ServerResponse) => Promise<void>
