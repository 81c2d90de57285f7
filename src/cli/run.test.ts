import { createServer } from 'node:net'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { expect, test } from 'vitest'
import { Folder, millrace, millraceUrl, start, type Running } from '../../test/command.ts'

/** A module whose handler, `handle`, is run for order.placed; `options` are the app's. */
const appWith = (folder: Folder, handle: string, options = ''): string =>
  folder.write(
    'app.mts',
    `import { once } from 'node:events'
     import { millrace } from '${millraceUrl}'
     const app = millrace({ transport: '${folder.url}', logger: false, ${options} })
     app.queue('billing').on('order.placed', ${handle})
     export default app`,
  )

/** Goes on until the test writes to its stdin. */
const slow = `async (event, ctx) => {
  console.log('began', event.id)
  await once(process.stdin, 'data')
  console.log('ended', event.id)
}`
/** Goes on until it is aborted. */
const endless = `(event, ctx) => {
  console.log('began', event.id)
  return new Promise((_, reject) => ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason)))
}`

async function whileHandling(folder: Folder, handle: string): Promise<Running> {
  const module = appWith(folder, handle)
  const running = start(['run', module])
  await running.printed('consuming billing (order.placed) from sqlite\n')
  await millrace(['publish', module, 'order.placed', '--id', 'e1'])
  await running.printed('began e1')
  return running
}

const countsIn = async (folder: Folder): Promise<unknown> =>
  JSON.parse((await millrace(['queues', '--transport', folder.url])).stdout)

test.each(['SIGINT', 'SIGTERM'] as const)('%s lets handlers finish: 0', async (signal) => {
  using folder = new Folder()
  const { child, printed, outcome } = await whileHandling(folder, slow)
  child.kill(signal)
  await printed(`millrace: ${signal}, finishing`)
  child.stdin.write('go on\n')
  expect(await outcome).toMatchObject({
    exitCode: 0,
    stdout: 'began e1\nended e1\n',
    stderr: expect.stringMatching(/\nmillrace: stopped\n$/),
  })
  expect(await countsIn(folder)).toMatchObject({ depth: 0, inFlight: 0, retrying: 0, dead: 0 })
})

test('a handler that does not finish is aborted in the end, and its event given back: 1', async () => {
  using folder = new Folder()
  const { child, outcome } = await whileHandling(folder, endless)
  const began = performance.now()
  child.kill('SIGTERM')
  expect(await outcome).toMatchObject({
    exitCode: 1,
    stderr: expect.stringMatching(/stopped before everything was finished\n$/),
  })
  expect(performance.now() - began).toBeLessThan(15_000)
  expect(await countsIn(folder)).toMatchObject({ depth: 1, inFlight: 0, retrying: 0 })
})

test('a second signal ends it at once: 130', async () => {
  using folder = new Folder()
  const { child, printed, outcome } = await whileHandling(folder, endless)
  child.kill('SIGINT')
  await printed('finishing')
  const insisting = setInterval(() => child.kill('SIGINT'), 20)
  expect((await outcome).exitCode).toBe(130)
  clearInterval(insisting)
})

test('a Ctrl-C that arrives twice, as npm makes it, is one', async () => {
  using folder = new Folder()
  const { child, printed, outcome } = await whileHandling(folder, slow)
  child.kill('SIGINT')
  child.kill('SIGTERM')
  await printed('finishing')
  child.stdin.write('go on\n')
  expect(await outcome).toMatchObject({ exitCode: 0, stdout: 'began e1\nended e1\n' })
})

test('an app that ends by itself ends the command', async () => {
  using folder = new Folder()
  const module = appWith(folder, "() => void app.stop().then(() => console.log('done'))")
  const { printed, outcome } = start(['run', module])
  await printed('consuming')
  await millrace(['publish', module, 'order.placed'])
  expect(await outcome).toMatchObject({ exitCode: 0, stdout: 'done\n' })
})

test('an app without queues has nothing to run', async () => {
  using folder = new Folder()
  const module = folder.write(
    'app.mts',
    `import { millrace } from '${millraceUrl}'\nexport default millrace({ transport: 'memory:' })`,
  )
  const { exitCode, stderr } = await millrace(['run', module])
  expect(exitCode).toBe(2)
  expect(stderr).toMatch(/has no queues, and no --port was given \[USAGE\]/)
  const { child, printed, outcome } = start(['run', module, '--port', '0'])
  await printed('millrace: listening on http://127.0.0.1:')
  child.kill('SIGINT')
  expect((await outcome).exitCode).toBe(0)
})

test('what cannot start ends with the code of its error', async () => {
  using folder = new Folder()
  const module = appWith(folder, '() => undefined')
  expect(await millrace(['run', module, '--transport', 'sqlite:/nowhere/x.db'])).toMatchObject({
    exitCode: 3,
    stderr: expect.stringContaining('[TRANSPORT_UNREACHABLE]'),
  })
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as { port: number }
  expect(await millrace(['run', module, '--port', String(port)])).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('[PORT_TAKEN]'),
  })
  taken.close()
})

async function addressOf({ printed, child }: Running): Promise<URL> {
  let output = ''
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
  await printed('listening on ')
  return new URL(/http:\/\/\S+/.exec(output)?.[0] ?? '')
}

const post = (url: URL): Promise<Response> =>
  fetch(url, {
    method: 'POST',
    headers: {
      'ce-specversion': '1.0',
      'ce-id': 'h1',
      'ce-source': '/test',
      'ce-type': 'order.placed',
      'content-type': 'application/json',
    },
    body: '{"total":1}',
  })

/** An address of this machine that others could reach. */
const outside = Object.values(networkInterfaces())
  .flat()
  .find((address) => address?.family === 'IPv4' && !address.internal)?.address

test('--port takes events over HTTP, on this machine only', async () => {
  using folder = new Folder()
  const running = start([
    'run',
    appWith(folder, '(event) => console.log(event.id, event.data)'),
    '--port',
    '0',
  ])
  const url = await addressOf(running)
  expect(url.hostname).toBe('127.0.0.1')
  expect((await post(url)).status).toBe(202)
  await running.printed('h1 { total: 1 }')
  if (outside !== undefined)
    await expect(post(new URL(`http://${outside}:${url.port}`))).rejects.toThrow('fetch failed')
  running.child.kill('SIGINT')
  expect((await running.outcome).exitCode).toBe(0)
})

test('an app that verifies senders listens for all, --host decides', async () => {
  using folder = new Folder()
  const module = appWith(folder, '() => undefined', 'http: { verify: () => false }')
  const open = start(['run', module, '--port', '0'])
  const url = await addressOf(open)
  expect(url.hostname).toBe('0.0.0.0')
  expect((await post(url)).status).toBe(401)
  const own = start(['run', module, '--port', '0', '--host', 'localhost'])
  expect((await addressOf(own)).hostname).toBe('localhost')
  for (const { child, outcome } of [open, own]) {
    child.kill('SIGTERM')
    expect((await outcome).exitCode).toBe(0)
  }
})
