import { once } from 'node:events'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { recordingApp } from '../../../test/recording-app.ts'
import { httpIngress } from './ingress.ts'
import { serve, serveWithin, type HttpServer, type ServeLimits, type ServeOptions } from './serve.ts'

const roomy: ServeLimits = { headers: 60_000, request: 60_000, idle: 60_000, check: 20, close: 60_000 }
const globals = { Request: globalThis.Request, Response: globalThis.Response }
const open: HttpServer[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()))
})

type Fetch = (request: Request) => Promise<Response>

async function start(fetch: Fetch, limits: Partial<ServeLimits> = {}, options: Partial<ServeOptions> = {}) {
  const server = await serveWithin({ ...roomy, ...limits }, { fetch }, { port: 0, ...options })
  open.push(server)
  return { ...server, url: `http://127.0.0.1:${server.port}/` }
}

const hello: Fetch = async () => new Response('hello')

/** Everything the server says on a connection until it ends it. */
async function conversation(socket: Socket): Promise<string> {
  let text = ''
  socket.setEncoding('utf8').on('data', (chunk: string) => void (text += chunk))
  socket.on('error', () => socket.destroy()) // a reset ends the conversation too
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
  return text
}

async function dial(port: number, host = '127.0.0.1'): Promise<Socket> {
  const socket = connect(port, host)
  await once(socket, 'connect')
  return socket.setNoDelay()
}

async function get(port: number, agent: Agent): Promise<IncomingMessage> {
  const [response] = (await once(httpRequest({ port, agent }).end(), 'response')) as [IncomingMessage]
  response.resume()
  await once(response, 'end')
  return response
}

describe('serve', () => {
  test('answers on a free port of this machine only', async () => {
    await using server = await serve({ fetch: hello }, { port: 0 })
    expect(server.port).toBeGreaterThan(0)
    const response = await fetch(`http://127.0.0.1:${server.port}/any/path`)
    expect([response.status, await response.text()]).toEqual([200, 'hello'])
    // All of 127.0.0.0/8 is this machine; a server on 0.0.0.0 would be reached.
    await expect(dial(server.port, '127.0.0.2')).rejects.toThrow()
  })

  test('keeps the global Request and Response', async () => {
    await start(hello)
    expect(globalThis.Request).toBe(globals.Request)
    expect(globalThis.Response).toBe(globals.Response)
  })

  test('says that a port is taken', async () => {
    const { port } = await start(hello)
    const error = await serve({ fetch: hello }, { port }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'PORT_TAKEN', cause: { code: 'EADDRINUSE' } })
    expect((error as Error).message).toContain(`${port}`)
  })

  test('says that it cannot listen', async () => {
    const elsewhere = serve({ fetch: hello }, { port: 0, host: '203.0.113.1' })
    await expect(elsewhere).rejects.toMatchObject({ code: 'LISTEN_FAILED', cause: { code: 'EADDRNOTAVAIL' } })
    for (const port of [-1, 65_536, 1.5, '80' as never]) {
      await expect(serve({ fetch: hello }, { port })).rejects.toMatchObject({ code: 'INVALID_OPTION' })
    }
  })

  test('a client that goes away aborts the signal of its request', async () => {
    const entered = Promise.withResolvers<void>()
    const aborted = Promise.withResolvers<void>()
    const { url } = await start(async (request) => {
      request.signal.addEventListener('abort', () => aborted.resolve())
      entered.resolve()
      await aborted.promise
      return new Response()
    })
    const client = new AbortController()
    const response = fetch(url, { method: 'POST', body: 'x', signal: client.signal })
    await entered.promise
    client.abort()
    await expect(response).rejects.toThrow('aborted')
    await aborted.promise
  })

  test('a request that is none gets 400', async () => {
    const { port } = await start(hello)
    const socket = await dial(port)
    socket.write('GET / HTTP/1.1\r\nHost: a b\r\nConnection: close\r\n\r\n')
    const answer = await conversation(socket)
    expect(answer).toMatch(/^HTTP\/1.1 400 /)
    expect(answer).toContain('"code":"HTTP_BAD_REQUEST"')
  })

  test('headers that are too large get 431', async () => {
    const { url } = await start(hello)
    expect((await fetch(url, { headers: { 'x-large': 'x'.repeat(20_000) } })).status).toBe(431)
  })

  test('a fetch that throws answers 503 and is shown here', async () => {
    const warnings: (Error & { code?: string })[] = []
    const warn = (warning: Error): void => void warnings.push(warning)
    process.on('warning', warn)
    try {
      const { url } = await start(() => Promise.reject(new Error('host 7 is down')))
      const response = await fetch(url)
      expect(response.status).toBe(503)
      expect(await response.text()).not.toContain('host 7')
      await vi.waitFor(() =>
        expect(warnings).toMatchObject([
          { code: 'HTTP_UNAVAILABLE', message: 'fetch failed: host 7 is down' },
        ]),
      )
    } finally {
      process.off('warning', warn)
    }
  })
})

describe('a slow client', () => {
  test.each([
    ['sends no end of its headers', { headers: 100 }, 'POST / HTTP/1.1\r\nHost: a\r\n'],
    [
      'sends no end of its body',
      { request: 100, headers: 100 },
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{',
    ],
  ])('that %s is cut off', async (_, limits, sent) => {
    const { port } = await start(httpIngress(recordingApp()), limits)
    const socket = await dial(port)
    socket.write(sent)
    expect(await conversation(socket)).toMatch(/^HTTP\/1.1 408 /)
  })

  test('that stays connected after its answer is cut off', async () => {
    const { port } = await start(hello, { idle: 50 })
    const socket = await dial(port)
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await conversation(socket)).toMatch(/^HTTP\/1.1 200 /)
  })
})

describe('close', () => {
  /** A request that runs until `finish`. */
  async function running(limits: Partial<ServeLimits> = {}) {
    const entered = Promise.withResolvers<void>()
    const answer = Promise.withResolvers<Response>()
    const server = await start(() => (entered.resolve(), answer.promise), limits)
    const agent = new Agent({ keepAlive: true })
    const response = get(server.port, agent)
    response.catch(() => {}) // some tests look at it only after they have closed the server
    await entered.promise
    return { server, response, agent, finish: () => answer.resolve(new Response('done')) }
  }

  test('is not held up by idle connections', async () => {
    const server = await start(hello)
    const agent = new Agent({ keepAlive: true })
    await get(server.port, agent)
    expect(Object.values(agent.freeSockets)).toHaveLength(1)
    const silent = await dial(server.port)
    await server.close()
    expect(await conversation(silent)).toBe('')
    await expect(dial(server.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('lets running requests end, on connections that would stay open', async () => {
    const { server, response, finish } = await running()
    const closed = server.close()
    await expect(dial(server.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    finish()
    expect((await response).headers.connection).toBe('close')
    await closed
  })

  test('begins no request that was sent behind a running one', async () => {
    let requests = 0
    const server: HttpServer = await start(async () => {
      requests++
      void server.close()
      return new Response('done')
    })
    const socket = await dial(server.port)
    const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'
    socket.write(request + request)
    expect(await conversation(socket)).toMatch(/^HTTP\/1.1 200 .*done$/s)
    await server.close()
    expect(requests).toBe(1)
  })

  test('cuts off requests that do not end', async () => {
    const { server, response } = await running({ close: 50 })
    await server.close()
    await expect(response).rejects.toMatchObject({ code: 'ECONNRESET' })
  })

  test('may be called by several at once, and again', async () => {
    const { server, response, finish } = await running()
    expect(server.close()).toBe(server.close())
    let closed = 0
    const all = [server.close(), server.close(), server[Symbol.asyncDispose]()].map((done) =>
      done.then(() => closed++),
    )
    await turn()
    expect(closed).toBe(0)
    finish()
    await Promise.all([...all, response])
    await server.close()
  })

  test('is what an aborted signal does', async () => {
    const controller = new AbortController()
    const { port, close } = await start(hello, {}, { signal: controller.signal })
    controller.abort()
    await expect(dial(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await close()
    const late = await start(hello, {}, { signal: controller.signal })
    await expect(dial(late.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })
})

describe('an ingress behind it', () => {
  const post = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/cloudevents+json\r\n'
  const last = `${post}Connection: close\r\n`
  const event = JSON.stringify({ specversion: '1.0', id: '1', type: 'a.b', source: '/s', subject: 'Zürich' })

  test('takes an upload that arrives byte by byte', async () => {
    const app = recordingApp()
    const { port } = await start(httpIngress(app))
    const socket = await dial(port)
    const said = conversation(socket)
    socket.write(`${last}Transfer-Encoding: chunked\r\n\r\n`)
    for (const byte of Buffer.from(event)) {
      socket.write(Buffer.concat([Buffer.from('1\r\n'), Buffer.from([byte]), Buffer.from('\r\n')]))
      await turn()
    }
    socket.write('0\r\n\r\n')
    expect(await said).toMatch(/^HTTP\/1.1 202 /)
    expect(app.published).toMatchObject([{ id: '1', head: { subject: 'Zürich' } }])
  })

  test.each([
    ['without a Content-Length', 'Transfer-Encoding: chunked\r\n\r\n'],
    ['with a Content-Length that says so', 'Content-Length: 999999999\r\n\r\n'],
  ])('refuses an endless upload %s while it still arrives', async (_, rest) => {
    const app = recordingApp()
    const { port } = await start(httpIngress(app, { maxBytes: 1_000 }))
    const socket = await dial(port)
    const said = conversation(socket)
    socket.write(post + rest)
    const chunk = rest.startsWith('T') ? `400\r\n${'x'.repeat(0x400)}\r\n` : 'x'.repeat(0x400)
    while (socket.writable) {
      socket.write(chunk)
      await turn()
    }
    const answer = await said
    expect(answer).toMatch(/^HTTP\/1.1 413 /)
    expect(answer).toContain('HTTP_TOO_LARGE')
    expect(app.calls).toBe(0)
  })

  test('reads no further than a Content-Length that says too little', async () => {
    const app = recordingApp()
    const { port } = await start(httpIngress(app))
    const socket = await dial(port)
    socket.write(`${last}Content-Length: 20\r\n\r\n${event}`)
    expect(await conversation(socket)).toMatch(/^HTTP\/1.1 400 /)
    expect(app.calls).toBe(0)
  })

  test('publishes nothing of an upload that breaks off', async () => {
    const app = recordingApp()
    const answered = Promise.withResolvers<Response>()
    const ingress = httpIngress(app)
    const arrived = Promise.withResolvers<void>()
    const { port } = await start(async (request) => {
      arrived.resolve()
      const response = await ingress(request)
      answered.resolve(response.clone())
      return response
    })
    const socket = await dial(port)
    socket.write(`${last}Content-Length: ${Buffer.byteLength(event) + 1}\r\n\r\n${event}`)
    await arrived.promise
    socket.destroy()
    const response = await answered.promise
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ code: 'HTTP_BAD_REQUEST', message: 'The body broke off' })
    expect(app.calls).toBe(0)
  })
})
