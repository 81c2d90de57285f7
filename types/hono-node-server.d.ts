// The part of @hono/node-server that millrace uses. Its own declarations lead to hono's, which need the DOM
// library: a DOM `Event` in scope is what we will not have, and `skipLibCheck` would hide our own mistakes too.
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Options {
  readonly fetch: (request: Request) => Promise<Response> | Response
  readonly port?: number
  readonly hostname?: string
  readonly overrideGlobalObjects?: boolean
  readonly autoCleanupIncoming?: boolean
}

/** Starts to listen; an error such as a port in use is an `error` event of the server. */
export function serve(options: Options, listening?: (address: AddressInfo) => void): Server
