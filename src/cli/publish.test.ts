import { expect, test } from 'vitest'
import { Folder, millrace, millraceUrl } from '../../test/command.ts'
import { createEvent, millrace as appOf, type MillraceEvent } from '../index.ts'

/** What a queue that takes everything gets. */
async function received(url: string, n: number): Promise<readonly MillraceEvent[]> {
  await using app = appOf({ transport: url, logger: false })
  const events: MillraceEvent[] = []
  const all = new Promise<void>((resolve) => {
    app.queue('all').on('*', (event) => void (events.push(event) === n && resolve()))
  })
  await app.start()
  await all
  return events
}

async function withQueue(url: string): Promise<void> {
  await using app = appOf({ transport: url, logger: false })
  app.queue('all').on('*', () => undefined)
  await app.publish(createEvent('probe.sent', null)) // opens the transport, which declares the queue
}

const textOf = (event: MillraceEvent | undefined): string => Buffer.from(event?.bytes ?? []).toString()

test('the data arrives byte for byte, from the argument and from stdin', async () => {
  using folder = new Folder()
  await withQueue(folder.url)
  const exact = '{ "n": 12345678901234567890, "2": 1.50, "1": "\\u00e9\\/" }'
  const utf8 = '{"name":"Zoë 🦫"}'
  const to = ['--transport', folder.url]
  expect(await millrace(['publish', 'a.b', exact, ...to])).toMatchObject({ exitCode: 0, stderr: '' })
  expect(await millrace(['publish', 'a.b', '-', ...to], { input: `${utf8}\n` })).toMatchObject({
    exitCode: 0,
    stderr: '',
  })
  expect(await millrace(['publish', 'a.b', '-5', ...to])).toMatchObject({ exitCode: 0, stderr: '' })
  expect(await millrace(['publish', 'a.b', ...to])).toMatchObject({ exitCode: 0, stderr: '' })
  const [, ...events] = await received(folder.url, 5)
  expect(events.map(textOf)).toEqual([exact, utf8, '-5', ''])
  expect(events.map((event) => event.data)).toEqual([JSON.parse(exact), { name: 'Zoë 🦫' }, -5, undefined])
})

test('stdin that is not UTF-8 is refused', async () => {
  const { exitCode, stderr } = await millrace(['publish', 'a.b', '-', '--transport', 'memory:'], {
    input: Buffer.from([0x22, 0xff, 0x22]),
  })
  expect(exitCode).toBe(2)
  expect(stderr).toMatch(/not UTF-8 \[DECODE_FAILED\]/)
})

test('the id is printed; key, id and delay are those given', async () => {
  using folder = new Folder()
  await withQueue(folder.url)
  const to = ['--transport', folder.url]
  expect(await millrace(['publish', 'a.b', '--id', 'own', '--key', 'k', ...to])).toMatchObject({
    stdout: 'own\n',
  })
  const { stdout } = await millrace(['publish', 'a.b', ...to])
  expect(stdout).toMatch(/^[0-9a-f-]{36}\n$/)
  await millrace(['publish', 'a.b', '--delay', '2h', ...to])
  const [, own, other] = await received(folder.url, 3)
  expect(own).toMatchObject({ id: 'own', key: 'k', topic: 'a', source: '/millrace' })
  expect(other).toMatchObject({ id: stdout.trim() })
  expect(JSON.parse((await millrace(['queues', ...to])).stdout)).toMatchObject({ depth: 0, delayed: 1 })
})

test('with a module its catalog, topics and source count', async () => {
  using folder = new Folder()
  const module = folder.write(
    'app.mts',
    `import { defineEvents, millrace } from '${millraceUrl}'
     import { z } from '${import.meta.resolve('zod')}'
     const events = defineEvents({ 'com.acme.placed': z.object({ total: z.number() }) }, { topic: () => 'orders' })
     const app = millrace({ transport: '${folder.url}', events, source: '/shop' })
     app.queue('all').on('com.acme.placed', () => undefined)
     export default app`,
  )
  expect(await millrace(['publish', module, 'com.acme.placed', '{"total":"much"}'])).toMatchObject({
    exitCode: 1,
    stdout: '',
    stderr: expect.stringMatching(/^millrace: .*total: .* \[DATA_INVALID\]\n.*\n$/),
  })
  expect(await millrace(['publish', module, 'com.acme.paid'])).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('[UNKNOWN_TYPE]'),
  })
  expect(await millrace(['publish', module, 'com.acme.placed', '{"total":1}'])).toMatchObject({
    exitCode: 0,
    stderr: '',
  })
  const [event] = await received(folder.url, 1)
  expect(event).toMatchObject({ topic: 'orders', source: '/shop', data: { total: 1 } })
})
