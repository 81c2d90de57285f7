import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { tcpProxy } from './tcp-proxy.ts'

/** A proxy in front of a server that sends back what it gets, and what that has got. */
async function setUp() {
  const received: string[] = []
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      received.push(String(bytes))
      socket.write(bytes)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy = await tcpProxy((server.address() as AddressInfo).port)
  onTestFinished(async () => {
    await proxy.close()
    server.close()
  })
  const dial = (): Socket => connect(proxy.port, '127.0.0.1').on('error', () => {})
  return { proxy, received, dial }
}

async function echo(socket: Socket, text: string): Promise<string> {
  socket.write(text)
  const [bytes] = (await once(socket, 'data')) as [Buffer]
  return String(bytes)
}

test('it forwards both ways', async () => {
  const { proxy, dial } = await setUp()
  const client = dial()
  expect(await echo(client, 'hello')).toBe('hello')
  expect(proxy.connections).toBe(1)
  const closed = once(client, 'close')
  client.end()
  await closed
})

test('cut ends all connections and new ones, until it resumes', async () => {
  const { proxy, dial } = await setUp()
  const client = dial()
  await echo(client, 'hello')
  const reset = once(client, 'error')
  proxy.cut()
  expect((await reset)[0]).toMatchObject({ code: 'ECONNRESET' })
  expect((await once(dial(), 'error'))[0]).toMatchObject({ code: 'ECONNRESET' })
  proxy.resume()
  expect(await echo(dial(), 'again')).toBe('again')
  expect(proxy.connections).toBe(3)
})

test('stalled it takes bytes and delivers none, of old and new connections, until it resumes', async () => {
  const { proxy, received, dial } = await setUp()
  const client = dial()
  await echo(client, 'hello')
  proxy.stall()
  const late = dial()
  await once(late, 'connect')
  await Promise.all([client, late].map((socket) => new Promise((taken) => socket.write('held', taken))))
  // What goes round another connection meanwhile shows that time has passed.
  const { dial: elsewhere } = await setUp()
  await echo(elsewhere(), 'passing')
  expect(received).toEqual(['hello'])
  const answers = Promise.all([client, late].map((socket) => once(socket, 'data')))
  proxy.resume()
  expect((await answers).map(([bytes]) => String(bytes))).toEqual(['held', 'held'])
})
