import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

/** Stands between a server on loopback and its clients, and comes between them when it is told to. */
export interface TcpProxy extends AsyncDisposable {
  /** Where clients connect to. */
  readonly port: number
  /** How many connections clients have made so far, those that were ended at once too. */
  readonly connections: number
  /** Ends all connections, and each new one at once, until `resume`. */
  cut(): void
  /** Half-open: takes connections and bytes, and delivers none of them, nor that a side has hung up, until `resume`. */
  stall(): void
  /** Delivers what was held up, and all that comes. */
  resume(): void
  close(): Promise<void>
}

/** A proxy that forwards to a port of 127.0.0.1, where nobody has to listen yet. */
export async function tcpProxy(to: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>()
  let state: 'forwarding' | 'stalled' | 'cut' = 'forwarding'
  let connections = 0

  function forward(from: Socket, target: Socket): void {
    sockets.add(from)
    from.on('data', (bytes) => {
      if (!target.write(bytes)) from.pause()
    })
    target.on('drain', () => {
      if (state !== 'stalled') from.resume()
    })
    from.on('end', () => target.end())
    // Whoever resets its connection, or was not there, takes the other one along.
    from.on('error', () => target.destroy())
    from.on('close', () => sockets.delete(from))
    if (state === 'stalled') from.pause()
  }

  function end(): void {
    for (const socket of sockets) socket.resetAndDestroy()
  }

  const listener = createServer({ allowHalfOpen: true }, (client) => {
    connections++
    if (state === 'cut') return void client.resetAndDestroy()
    const server = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true })
    forward(client, server)
    forward(server, client)
  })
  await once(listener.listen(0, '127.0.0.1'), 'listening')

  const close = async (): Promise<void> => {
    if (!listener.listening) return
    const closed = once(listener, 'close')
    listener.close()
    end()
    await closed
  }
  return {
    port: (listener.address() as AddressInfo).port,
    get connections() {
      return connections
    },
    cut() {
      state = 'cut'
      end()
    },
    stall() {
      state = 'stalled'
      for (const socket of sockets) socket.pause()
    },
    resume() {
      state = 'forwarding'
      for (const socket of sockets) socket.resume()
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}
