import type { Server, ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { systemClock } from '../../clock/clock.ts'
import { MillraceError, messageOf } from '../../errors/millrace-error.ts'
import { answer, unavailable } from './answer.ts'

export interface ServeOptions {
  /** 0: any free port. */
  readonly port: number
  /** The address to listen on. Default: 127.0.0.1, which only this machine reaches. */
  readonly host?: string
  /** Aborting it is `close()`. */
  readonly signal?: AbortSignal
}

export interface HttpServer extends AsyncDisposable {
  readonly port: number
  /** Takes no more connections, lets running requests end for at most 5 s, and cuts off what is left. Idempotent. */
  close(): Promise<void>
}

/** In milliseconds. What a slow or half-dead client may cost is bounded by these, not by its patience. */
export interface ServeLimits {
  /** From the first byte of a request to the last of its headers. */
  readonly headers: number
  /** From the first byte of a request to the last of its body. */
  readonly request: number
  /** An idle connection is kept open for so long. */
  readonly idle: number
  /** How often the others are looked at. */
  readonly check: number
  /** What `close` gives to running requests. */
  readonly close: number
}

const usual: ServeLimits = { headers: 10_000, request: 60_000, idle: 5_000, check: 1_000, close: 5_000 }

/**
 * Serves an app, or anything with `fetch`, over HTTP on Node. A client that goes away aborts `request.signal`.
 * @throws MillraceError PORT_TAKEN, LISTEN_FAILED, INVALID_OPTION
 * @example const server = await serve(app, { port: 3000 }); await server.close()
 */
export function serve(
  app: { readonly fetch: (request: Request) => Promise<Response> },
  options: ServeOptions,
): Promise<HttpServer> {
  return serveWithin(usual, app, options)
}

/** `serve` with other limits: for its tests. */
export async function serveWithin(
  limits: ServeLimits,
  app: { readonly fetch: (request: Request) => Promise<Response> },
  { port, host = '127.0.0.1', signal }: ServeOptions,
): Promise<HttpServer> {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new MillraceError('INVALID_OPTION', `Expected \`port\` to be 0 to 65535, got ${String(port)}`)
  }
  // Loaded here, so that an app that only needs an ingress does not load a server.
  const [{ createServer }, { getRequestListener }] = await Promise.all([
    import('node:http'),
    import('@hono/node-server'),
  ])
  const listener = getRequestListener((request) => app.fetch(request), {
    overrideGlobalObjects: false,
    hostname: host,
    errorHandler: answerFailure,
  })
  const connections = new Set<Socket>()
  const running = new Set<ServerResponse>()
  const server = createServer({
    headersTimeout: limits.headers,
    requestTimeout: limits.request,
    keepAliveTimeout: limits.idle,
    connectionsCheckingInterval: limits.check,
    keepAlive: true, // of TCP: finds out that a client has died while its request runs
  })
  let closing: Promise<void> | undefined
  server.on('connection', (connection) => {
    connections.add(connection)
    connection.once('close', () => connections.delete(connection))
  })
  server.on('request', (incoming, outgoing) => {
    if (closing !== undefined) return // sent behind a running request, whose answer will end the connection
    running.add(outgoing)
    outgoing.once('close', () => running.delete(outgoing))
    void listener(incoming, outgoing)
  })
  await listen(server, port, host)
  const bound = (server.address() as AddressInfo).port
  server.on('error', (error) => {
    process.emitWarning(messageOf(error), { type: 'MillraceWarning', code: 'LISTEN_FAILED' })
  })

  const close = (): Promise<void> => {
    signal?.removeEventListener('abort', close)
    closing ??= new Promise((resolve) => {
      const cut = systemClock.after(limits.close, () => server.closeAllConnections())
      server.close(() => {
        cut.cancel()
        resolve()
      })
      // server.close() would wait for connections that never sent a request, and for those that an answer makes idle.
      const busy = new Set([...running].map(({ socket }) => socket))
      for (const connection of connections) if (!busy.has(connection)) connection.destroySoon()
      for (const outgoing of running) outgoing.shouldKeepAlive = false
    })
    return closing
  }
  if (signal?.aborted === true) void close()
  else signal?.addEventListener('abort', close)
  return { port: bound, close, [Symbol.asyncDispose]: close }
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: NodeJS.ErrnoException): void => {
      const taken = cause.code === 'EADDRINUSE'
      const message = taken
        ? `Port ${port} of ${host} is taken`
        : `Cannot listen on ${host}:${port}: ${cause.message}`
      reject(new MillraceError(taken ? 'PORT_TAKEN' : 'LISTEN_FAILED', message, { cause }))
    }
    server.once('error', failed)
    server.listen({ port, host }, () => {
      server.off('error', failed)
      resolve()
    })
  })
}

/** A request without a usable URL or host is the client's fault; a `fetch` that throws is ours, and is shown here only. */
function answerFailure(error: unknown): Response {
  if (error instanceof Error && error.name === 'RequestError')
    return answer(400, 'HTTP_BAD_REQUEST', error.message)
  process.emitWarning(`fetch failed: ${messageOf(error)}`, {
    type: 'MillraceWarning',
    code: 'HTTP_UNAVAILABLE',
  })
  return unavailable()
}
