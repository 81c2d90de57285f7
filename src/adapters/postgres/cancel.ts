import { connect, type NetConnectOpts } from 'node:net'
import type { PgConnection } from './client.ts'

/** What a connection of `pg` knows of its server, and by which the server knows it. */
interface Known {
  readonly host: string
  readonly port: number
  readonly processID: number
  readonly secretKey: number
}

const cancelRequest = 80_877_102

/** A server that cannot be reached within so many milliseconds is not asked. */
const longestCall = 5_000

/**
 * Asks the server to end the statement that is under way on the connection, which then fails there. That takes a connection of
 * its own, which poolers pass on, too. No answer is given to it, and none may come.
 */
export function cancel(connection: PgConnection): void {
  const known = connection as unknown as Partial<Known>
  if (!isKnown(known)) return
  const request = Buffer.alloc(16)
  request.writeInt32BE(request.length, 0)
  request.writeInt32BE(cancelRequest, 4)
  request.writeInt32BE(known.processID, 8)
  request.writeInt32BE(known.secretKey, 12)
  // The server closes it when it has heard; a pooler forgets what comes from somebody who has gone.
  const socket = connect(addressOf(known), () => socket.write(request))
  socket.setTimeout(longestCall, () => socket.destroy())
  // Whoever cannot be asked does not answer the statement either, and that is told.
  socket.on('error', () => socket.destroy())
  socket.resume()
  socket.unref()
}

function isKnown(known: Partial<Known>): known is Known {
  const { host, port, processID, secretKey } = known
  return typeof host === 'string' && [port, processID, secretKey].every((one) => typeof one === 'number')
}

/** A host that is a folder has a socket in it. */
function addressOf({ host, port }: Known): NetConnectOpts {
  return host.startsWith('/') ? { path: `${host}/.s.PGSQL.${port}` } : { host, port }
}
