import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { cached } from '../cache.ts'

/** What a client of PostgreSQL sends first if it wants TLS. */
const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f])
/** The first byte of those that begin with TLS at once. */
const handshake = 0x16

/**
 * Stands before a PostgreSQL on a port of 127.0.0.1 as managed services do: takes TLS, after PostgreSQL's request for it or
 * at once, and hangs up on whoever says anything else.
 */
export async function tlsProxy(to: number): Promise<{ readonly port: number; close(): Promise<void> }> {
  const { key, cert } = await identity()
  const sockets = new Set<Socket>()
  const listener = createServer((client) => {
    sockets.add(client)
    client.on('error', () => client.destroy())
    client.on('close', () => sockets.delete(client))
    client.once('data', (first) => {
      client.pause()
      if (first.equals(sslRequest)) client.write('S')
      else if (first[0] === handshake) client.unshift(first)
      else return void client.destroy()
      const secured = new TLSSocket(client, { isServer: true, key, cert, ALPNProtocols: ['postgresql'] })
      const server = connect(to, '127.0.0.1')
      secured.pipe(server).pipe(secured)
      for (const one of [secured, server]) one.on('error', () => (client.destroy(), server.destroy()))
    })
  })
  await once(listener.listen(0, '127.0.0.1'), 'listening')
  return {
    port: (listener.address() as AddressInfo).port,
    async close() {
      const closed = once(listener, 'close')
      listener.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** What its clients have to trust. */
export async function certificate(): Promise<string> {
  return (await identity()).cert
}

async function identity(): Promise<{ readonly key: string; readonly cert: string }> {
  // Debian's PostgreSQL brings the program along.
  const folder = await cached('servers/tls-proxy', async (fresh) => {
    const files = ['-keyout', join(fresh, 'key.pem'), '-out', join(fresh, 'certificate.pem')]
    const algorithm = [
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '36500',
    ]
    const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost']
    await promisify(execFile)('openssl', ['req', '-x509', ...algorithm, ...names, ...files])
  })
  const [key, cert] = await Promise.all(
    ['key.pem', 'certificate.pem'].map((file) => readFile(join(folder, file), 'utf8')),
  )
  return { key: key!, cert: cert! }
}
