import type { Duplex } from 'node:stream'
import type { PgConnection, PgPool } from './client.ts'

/** A connection as `pg` speaks the protocol over it. */
interface Wire {
  readonly constructor: new (way: Way) => Wire
  readonly stream: Duplex & { unref?(): void }
  connect(path: string): void
  connect(port: number, host: string): void
  requestSsl(): void
  cancel(processID: number, secretKey: number): void
  on(event: 'connect' | 'sslconnect' | 'end' | 'error', listener: () => void): void
}

/** How a connection of `pg` goes to its server. Without a `stream`, to the host and the port. */
interface Way {
  readonly stream?: unknown
  readonly ssl?: unknown
  readonly sslNegotiation?: string | undefined
}

/** What a connection of `pg` knows of its server, and by which the server knows it. */
interface Known extends Way {
  readonly host: string
  readonly port: number
  readonly processID: number
  readonly secretKey: number
  readonly connection: Wire
}

/** A server that cannot be reached within so many milliseconds is not asked. */
const longestCall = 5_000

/**
 * Asks the server to end the statement that is under way on the connection, which then fails there. That takes a connection of
 * its own, which poolers pass on, too. It goes the way the other one went: with TLS if that has it, and over a stream of the user's making.
 * Where there is no telling that way, or no second one (a `stream` that is no function), nobody is asked: what ends statements is a
 * secret, and no business of whoever listens elsewhere. No answer is given to it, and none may come.
 */
export function cancel(connection: PgConnection, pool: PgPool): void {
  const known = connection as unknown as Partial<Known>
  const options = pool.options as Way | undefined
  if (!isKnown(known) || options === undefined) return
  if (options.stream && typeof options.stream !== 'function') return
  try {
    ask(known, options.stream)
  } catch {
    // The user's stream could not be made. Whoever cannot be asked does not answer the statement either, and that is told.
  }
}

function ask({ host, port, processID, secretKey, ssl, sslNegotiation, connection }: Known, stream: unknown) {
  const wire = new connection.constructor({ stream, ssl, sslNegotiation })
  const end = (): unknown => wire.stream.destroy()
  const timer = setTimeout(end, longestCall)
  timer.unref()
  // The server closes it when it has heard; a pooler forgets what comes from somebody who has gone.
  wire.on('end', () => clearTimeout(timer))
  // Told as above.
  wire.on('error', end)
  wire.on(ssl ? 'sslconnect' : 'connect', () => wire.cancel(processID, secretKey))
  if (ssl && sslNegotiation !== 'direct') wire.on('connect', () => wire.requestSsl())
  // A host that is a folder has a socket in it.
  if (host.startsWith('/')) wire.connect(`${host}/.s.PGSQL.${port}`)
  else wire.connect(port, host)
  wire.stream.unref?.()
}

/** The client of `pg` that is written in C tells nothing of it. */
function isKnown(known: Partial<Known>): known is Known {
  const { host, port, processID, secretKey, connection } = known
  const numbers = [port, processID, secretKey]
  return (
    typeof host === 'string' && numbers.every((one) => typeof one === 'number') && connection !== undefined
  )
}
