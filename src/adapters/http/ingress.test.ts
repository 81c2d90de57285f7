import { describe, expect, test } from 'vitest'
import { recordingApp } from '../../../test/recording-app.ts'
import { signal } from '../../../test/signals.ts'
import { PublishError } from '../../contract/publish-error.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import { toCloudEventJson } from '../../event/cloudevents.ts'
import { createEvent } from '../../event/event.ts'
import { httpIngress, type HttpIngressOptions } from './ingress.ts'

type Body = string | Uint8Array<ArrayBuffer> | ReadableStream

function post(body: Body | null, headers: Record<string, string>): Request {
  return new Request('http://localhost/any/path?x=1', { method: 'POST', body, headers, duplex: 'half' })
}

const structured = 'application/cloudevents+json'
const batched = 'application/cloudevents-batch+json'
const event = (members: object = {}): object => ({
  specversion: '1.0',
  id: '1',
  type: 'order.placed',
  source: '/shop',
  ...members,
})
const json = (members: object = {}): string => JSON.stringify(event(members))
const cloudEvent = (members: object = {}): Request => post(json(members), { 'content-type': structured })
const ceHeaders = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-type': 'order.placed', 'ce-source': '/shop' }
const binary = (body: Body | null, headers: Record<string, string> = {}): Request =>
  post(body, { 'content-type': 'application/json', ...ceHeaders, ...headers })

/** Status, code and the rest of an answer; every refusal must leave the app untouched. */
async function answerTo(request: Request, options: HttpIngressOptions = {}, app = recordingApp()) {
  const response = await httpIngress(app, options)(request)
  const body =
    response.status === 204
      ? {}
      : ((await response.json()) as { code?: string; message?: string; ids?: string[] })
  if (response.status >= 400 && response.status < 500) expect(app.published).toEqual([])
  return { status: response.status, headers: response.headers, ...body, app }
}

function chunks(...parts: (string | Uint8Array)[]): ReadableStream {
  return ReadableStream.from(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)))
}

describe('accepts', () => {
  test('a structured event', async () => {
    const text = `${json().slice(0, -1)},"data":{"n":12345678901234567890}}`
    const answer = await answerTo(post(text, { 'content-type': `${structured}; charset="UTF-8"` }))
    expect(answer).toMatchObject({ status: 202, code: 'ACCEPTED', message: '1 accepted', ids: ['1'] })
    expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
    expect(answer.app.published).toMatchObject([
      { id: '1', type: 'order.placed', topic: 'order', data: '{"n":12345678901234567890}' },
    ])
  })

  test('a batch, in one publish', async () => {
    const batch = `[${json({ id: 'a' })},${json({ id: 'b' })}]`
    const answer = await answerTo(post(batch, { 'content-type': batched }))
    expect(answer).toMatchObject({ status: 202, ids: ['a', 'b'] })
    expect(answer.app.published.map(({ id }) => id)).toEqual(['a', 'b'])
    expect(answer.app.calls).toBe(1)
  })

  test('a binary event', async () => {
    const headers = { 'ce-partitionkey': 'k', 'ce-traceparent': '00-1' }
    const answer = await answerTo(binary(Buffer.from('12345678901234567890'), headers))
    expect(answer.status).toBe(202)
    const [published] = answer.app.published
    expect(published).toMatchObject({ id: '1', key: 'k', head: { extensions: { traceparent: '00-1' } } })
    expect(Buffer.from(published?.data as Uint8Array).toString()).toBe('12345678901234567890')
  })

  test('a binary event of any data', async () => {
    const bytes = new Uint8Array([0, 255])
    const { status, app } = await answerTo(binary(bytes, { 'content-type': 'image/png' }))
    expect(status).toBe(202)
    expect(app.published).toMatchObject([{ head: { contentType: 'image/png' }, data: Buffer.from(bytes) }])
    expect((await answerTo(binary(null, { 'content-type': 'text/plain' }))).status).toBe(202)
  })

  test.each([
    ['Euro%20%E2%82%AC%20%F0%9F%98%80', 'Euro € 😀'],
    ['"quoted \\"text\\" \\\\ %41"', 'quoted "text" \\ A'],
    ['100% of %zz', '100% of %zz'],
    ['a%2541', 'a%41'],
    ['%c3%a4', 'ä'],
    ['Zürich', 'Zürich'], // raw UTF-8, which older senders put there
  ])('the header value %s', async (value, subject) => {
    const { status, app } = await answerTo(
      binary('1', { 'ce-subject': Buffer.from(value).toString('latin1') }),
    )
    expect(status).toBe(202)
    expect(app.published).toMatchObject([{ head: { subject } }])
  })

  test('a body in pieces, split inside a character', async () => {
    const bytes = Buffer.from(json({ subject: 'Zürich' }))
    const at = bytes.indexOf('ü') + 1
    const body = chunks(bytes.subarray(0, at), bytes.subarray(at), new Uint8Array())
    const { status, app } = await answerTo(post(body, { 'content-type': structured }))
    expect(status).toBe(202)
    expect(app.published).toMatchObject([{ head: { subject: 'Zürich' } }])
  })

  test('a body of exactly maxBytes', async () => {
    const maxBytes = Buffer.byteLength(json())
    expect((await answerTo(cloudEvent(), { maxBytes })).status).toBe(202)
    expect((await answerTo(cloudEvent(), { maxBytes: maxBytes - 1 })).status).toBe(413)
  })

  test('the types it is given', async () => {
    const types = ['order.*', 'stock.low']
    for (const type of ['order.placed', 'order.paid.late', 'stock.low']) {
      expect((await answerTo(cloudEvent({ type }), { types })).status).toBe(202)
    }
    for (const type of ['orders.placed', 'stock.lower', 'order']) {
      expect(await answerTo(cloudEvent({ type }), { types })).toMatchObject({
        status: 400,
        code: 'HTTP_TYPE_REFUSED',
      })
    }
  })

  test('nothing, where there is nothing', async () => {
    expect(await answerTo(post('[]', { 'content-type': batched }))).toMatchObject({
      status: 204,
      app: { calls: 0 },
    })
  })
})

describe('refuses', () => {
  test.each(['GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS'])('%s', async (method) => {
    const response = await httpIngress(recordingApp())(new Request('http://localhost/', { method }))
    expect(response.status).toBe(405)
    expect(response.headers.get('allow')).toBe('POST')
    expect(await response.json()).toMatchObject({ code: 'HTTP_METHOD' })
  })

  const plain = { 'content-type': 'application/json' }
  test.each<[string, () => Request, number, string]>([
    ['plain JSON', () => post('{}', plain), 415, 'HTTP_MEDIA_TYPE'],
    ['no content type', () => post(Buffer.from('{}'), {}), 415, 'HTTP_MEDIA_TYPE'],
    [
      'another format',
      () => post('', { 'content-type': 'application/cloudevents+avro' }),
      415,
      'HTTP_MEDIA_TYPE',
    ],
    ['no format', () => binary('1', { 'content-type': 'application/cloudevents' }), 415, 'HTTP_MEDIA_TYPE'],
    [
      'another charset',
      () => post(json(), { 'content-type': `${structured}; charset=utf-16` }),
      415,
      'HTTP_MEDIA_TYPE',
    ],
    [
      'compression',
      () => post(json(), { 'content-type': structured, 'content-encoding': 'gzip' }),
      415,
      'HTTP_MEDIA_TYPE',
    ],
    ['an empty body', () => post('', { 'content-type': structured }), 400, 'DECODE_FAILED'],
    ['no body', () => post(null, { 'content-type': structured }), 400, 'DECODE_FAILED'],
    ['half an event', () => post(json().slice(0, -1), { 'content-type': structured }), 400, 'DECODE_FAILED'],
    [
      'an array as one event',
      () => post(`[${json()}]`, { 'content-type': structured }),
      400,
      'DECODE_FAILED',
    ],
    ['one event as a batch', () => post(json(), { 'content-type': batched }), 400, 'DECODE_FAILED'],
    [
      'bytes that are no UTF-8',
      () => post(Buffer.from([0xff]), { 'content-type': structured }),
      400,
      'DECODE_FAILED',
    ],
    ['another version', () => cloudEvent({ specversion: '0.3' }), 400, 'DECODE_FAILED'],
    ['no id', () => cloudEvent({ id: undefined }), 400, 'INVALID_EVENT'],
    ['a reverse-DNS type', () => cloudEvent({ type: 'com.acme.placed' }), 400, 'TOPIC_AMBIGUOUS'],
    ['a bad topic', () => cloudEvent({ millracetopic: 'a b' }), 400, 'INVALID_NAME'],
    ['malformed data', () => binary('{"a":'), 400, 'DECODE_FAILED'],
    ['malformed data in base64', () => cloudEvent({ data_base64: 'e30s' }), 400, 'DECODE_FAILED'],
    [
      'text that is no UTF-8',
      () => binary(Buffer.from([0xe4]), { 'content-type': 'text/plain' }),
      400,
      'DECODE_FAILED',
    ],
    ['headers without an id', () => binary('1', { 'ce-id': '' }), 400, 'INVALID_EVENT'],
    ['an overlong encoding', () => binary('1', { 'ce-subject': '%C0%A0' }), 400, 'DECODE_FAILED'],
    ['a header in Latin 1', () => binary('1', { 'ce-subject': 'Z\u00fcrich' }), 400, 'DECODE_FAILED'],
  ])('%s', async (_, request, status, code) => {
    const answer = await answerTo(request())
    expect(answer).toMatchObject({ status, code })
    expect(answer.app.log.filter((line) => line.startsWith('error'))).toEqual([])
  })

  test('a batch for one bad event in it: nothing is published', async () => {
    for (const bad of [json({ id: '' }), json({ data_base64: 'e30s' }), '7']) {
      const { status, app } = await answerTo(
        post(`[${json({ id: 'a' })},${bad}]`, { 'content-type': batched }),
      )
      expect(status).toBe(400)
      expect(app.calls).toBe(0)
    }
  })

  test('a body that broke off', async () => {
    const broken = new ReadableStream({
      start: (controller) => controller.enqueue(Buffer.from('{')),
      pull: (controller) => controller.error(new Error('ECONNRESET at /secret/path')),
    })
    const answer = await answerTo(post(broken, { 'content-type': structured }))
    expect(answer).toMatchObject({ status: 400, code: 'HTTP_BAD_REQUEST', message: 'The body broke off' })
  })
})

describe('the size limit', () => {
  test('believes a Content-Length that says too much, without reading', async () => {
    let read = false
    const body = new ReadableStream({ pull: () => void (read = true) }, { highWaterMark: 0 })
    const request = post(body, { 'content-type': structured, 'content-length': '1001' })
    expect(await answerTo(request, { maxBytes: 1000 })).toMatchObject({ status: 413, code: 'HTTP_TOO_LARGE' })
    expect(read).toBe(false)
  })

  test.each([{}, { 'content-length': '3' }, { 'content-length': 'many' }])(
    'counts what arrives, given %j',
    async (length) => {
      let pulls = 0
      let cancelled = false
      const endless = new ReadableStream({
        pull: (controller) => (pulls++, controller.enqueue(new Uint8Array(100))),
        cancel: () => void (cancelled = true),
      })
      const request = post(endless, { 'content-type': structured, ...(length as Record<string, string>) })
      expect(await answerTo(request, { maxBytes: 1000 })).toMatchObject({
        status: 413,
        code: 'HTTP_TOO_LARGE',
      })
      expect(pulls).toBeLessThan(15)
      expect(cancelled).toBe(true)
    },
  )

  test('is 1 MiB if nothing is said', async () => {
    const sized = (bytes: number): Request => binary(`"${'x'.repeat(bytes - 2)}"`)
    expect((await answerTo(sized(2 ** 20))).status).toBe(202)
    expect((await answerTo(sized(2 ** 20 + 1))).status).toBe(413)
  })
})

describe('verify', () => {
  test('sees the raw bytes, before anything is decoded', async () => {
    const seen: string[] = []
    const verify = async (request: Request, bytes: Uint8Array): Promise<boolean> => {
      seen.push(`${request.headers.get('x-token')} ${Buffer.from(bytes).toString()}`)
      return false
    }
    const answer = await answerTo(post('not { JSON', { 'x-token': 't' }), { verify })
    expect(answer).toMatchObject({ status: 401, code: 'HTTP_UNVERIFIED' })
    expect(seen).toEqual(['t not { JSON'])
  })

  test('must say true', async () => {
    expect((await answerTo(cloudEvent(), { verify: () => true })).status).toBe(202)
    expect((await answerTo(cloudEvent(), { verify: () => 'yes' as never })).status).toBe(401)
  })

  test('that throws lets nothing in, and is logged', async () => {
    const verify = (): never => {
      throw new Error('the key server is down')
    }
    const answer = await answerTo(cloudEvent(), { verify })
    expect(answer).toMatchObject({ status: 503, code: 'HTTP_UNAVAILABLE', app: { calls: 0 } })
    expect(answer.message).not.toContain('key')
    expect(answer.app.log).toEqual([expect.stringContaining('the key server is down')])
  })

  test('is missed aloud, once, when the first request comes', async () => {
    const app = recordingApp()
    const ingress = httpIngress(app)
    expect(app.log).toEqual([])
    await ingress(cloudEvent())
    await ingress(cloudEvent())
    expect(app.log).toEqual([expect.stringMatching(/^warn HTTP_UNVERIFIED_INGRESS: /)])
  })
})

describe('toEvent', () => {
  const made = createEvent('stock.low', { sku: 7 }, { id: 's' })
  const foreign = (): Request => post('sku=7', { 'content-type': 'application/x-www-form-urlencoded' })

  test('takes any content type, and gives an event, several or none', async () => {
    const toEvent: HttpIngressOptions['toEvent'] = async (request, bytes) =>
      createEvent('form.sent', {
        type: request.headers.get('content-type'),
        text: Buffer.from(bytes).toString(),
      })
    const one = await answerTo(foreign(), { toEvent })
    expect(one.status).toBe(202)
    expect(one.app.published).toMatchObject([
      { data: '{"type":"application/x-www-form-urlencoded","text":"sku=7"}' },
    ])
    expect(await answerTo(foreign(), { toEvent: () => [made, made] })).toMatchObject({
      status: 202,
      ids: ['s', 's'],
    })
    expect(await answerTo(foreign(), { toEvent: () => [] })).toMatchObject({ status: 204, app: { calls: 0 } })
    expect(await answerTo(foreign(), { toEvent: () => null })).toMatchObject({
      status: 204,
      app: { calls: 0 },
    })
  })

  test('replaces the decoding of CloudEvents, and obeys types', async () => {
    expect(await answerTo(cloudEvent(), { toEvent: () => made })).toMatchObject({ status: 202, ids: ['s'] })
    const refused = await answerTo(foreign(), { toEvent: () => [made], types: ['order.*'] })
    expect(refused).toMatchObject({ status: 400, code: 'HTTP_TYPE_REFUSED' })
  })

  const throwing = (error: unknown): HttpIngressOptions => ({
    verify: () => true,
    toEvent: () => {
      throw error
    },
  })

  test('that throws what the sender can mend tells the sender', async () => {
    const coded = await answerTo(foreign(), throwing(new MillraceError('INVALID_EVENT', 'no sku')))
    expect(coded).toMatchObject({ status: 400, code: 'INVALID_EVENT', message: 'no sku', app: { log: [] } })
    const syntax = await answerTo(post('{', {}), {
      verify: () => true,
      toEvent: (_, bytes) => JSON.parse(bytes.toString()),
    })
    expect(syntax).toMatchObject({ status: 400, code: 'HTTP_BAD_REQUEST', app: { log: [] } })
    expect(syntax.message).toContain('JSON')
  })

  test.each([
    new TypeError("Cannot read properties of undefined (reading 'sku')"),
    new MillraceError('STORE_FULL', 'the disk of host 7'),
    'a text',
  ])('that throws %s tells only the log', async (error) => {
    const answer = await answerTo(foreign(), throwing(error))
    expect(answer).toMatchObject({
      status: 400,
      code: 'HTTP_BAD_REQUEST',
      message: 'The request cannot be made an event',
    })
    expect(answer.app.log).toEqual([expect.stringMatching(/^error HTTP_BAD_REQUEST: .+(sku|disk|a text)/)])
  })

  test.each([[undefined], ['text'], [[made, undefined]]])('that gives %j is a mistake', async (result) => {
    const answer = await answerTo(foreign(), { verify: () => true, toEvent: () => result as never })
    expect(answer).toMatchObject({ status: 400, code: 'HTTP_BAD_REQUEST', app: { calls: 0 } })
    expect(answer.app.log).toEqual([expect.stringContaining('toEvent must give')])
  })
})

describe('when publish fails', () => {
  test.each([
    'INVALID_EVENT',
    'DATA_INVALID',
    'UNKNOWN_TYPE',
    'TOPIC_AMBIGUOUS',
    'INVALID_NAME',
    'DECODE_FAILED',
    'DATA_NOT_JSON',
  ] as const)('with %s, the sender is told', async (code) => {
    const failure = new MillraceError(code, 'total: expected a number')
    const answer = await answerTo(cloudEvent(), { verify: () => true }, recordingApp({ failure }))
    expect(answer).toMatchObject({ status: 400, code, message: 'total: expected a number', app: { log: [] } })
  })

  test('for the size, the sender is told', async () => {
    const failure = new PublishError('larger than 1000 bytes', {
      results: ['rejected'],
      retryable: false,
      code: 'EVENT_TOO_LARGE',
    })
    const answer = await answerTo(cloudEvent(), {}, recordingApp({ failure }))
    expect(answer).toMatchObject({ status: 413, code: 'EVENT_TOO_LARGE', message: 'larger than 1000 bytes' })
  })

  test.each([
    new PublishError('disk /var/x is full', { results: ['unknown'], retryable: true, code: 'STORE_FULL' }),
    new MillraceError('STOPPED', 'disk /var/x is full'),
    new Error('disk /var/x is full'),
    'disk /var/x is full',
  ])('for reasons of our own, only the log is told: %s', async (failure) => {
    const answer = await answerTo(cloudEvent(), { verify: () => true }, recordingApp({ failure }))
    const { status, headers, app, ...body } = answer
    expect(status).toBe(503)
    expect(headers.get('retry-after')).toBe('5')
    expect(body).toEqual({ code: 'HTTP_UNAVAILABLE', message: 'The event could not be taken now' })
    expect(app.log).toEqual([expect.stringMatching(/^error HTTP_UNAVAILABLE: .+\/var\/x/)])
  })

  test('while bodies of 256 MiB are under way; each gives its room back', async () => {
    const app = recordingApp()
    const ingress = httpIngress(app, { verify: () => true, toEvent: () => null, maxBytes: 200 * 2 ** 20 })
    const part = new Uint8Array(64 * 2 ** 20)
    /** A request whose body comes in parts of 64 MiB, the last of them when `end` is called. */
    const upload = (parts: number): { answer: Promise<Response>; sent: Promise<void>; end(): void } => {
      const sent = signal()
      const end = signal()
      let left = parts
      const body = new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            if (left === 0) {
              sent.give()
              await end.come
              controller.close()
            } else controller.enqueue(part)
            left--
          },
        },
        { highWaterMark: 0 },
      )
      const request = new Request('http://x/', { method: 'POST', body, duplex: 'half' } as RequestInit)
      return { answer: ingress(request), sent: sent.come, end: end.give }
    }
    const [first, second] = [upload(3), upload(1)]
    await first.sent
    await second.sent
    const third = await upload(1).answer
    expect([third.status, third.headers.get('retry-after')]).toEqual([503, '5'])
    first.end()
    expect((await first.answer).status).toBe(204)
    const fourth = upload(3)
    fourth.end()
    second.end()
    expect([(await fourth.answer).status, (await second.answer).status]).toEqual([204, 204])
  })

  test('since the app was overloaded while the body came, before it is decoded', async () => {
    const app = recordingApp()
    const verify = (): boolean => (app.overload(), true)
    const answer = await httpIngress(app, { verify })(post('no JSON', { 'content-type': structured }))
    expect([answer.status, app.calls]).toEqual([503, 0])
  })

  test('since somebody read the body before, the log says so', async () => {
    const request = cloudEvent()
    await request.text()
    const { status, app } = await answerTo(request, { verify: () => true })
    expect(status).toBe(503)
    expect(app.log).toEqual([expect.stringContaining('The body was read before')])
  })
})

test('takes what millrace itself sends', async () => {
  const sent = createEvent(
    'order.placed',
    { total: 1 },
    { key: 'k', topic: 'orders', deliverAt: new Date(0) },
  )
  const { app } = await answerTo(post(toCloudEventJson(sent), { 'content-type': structured }))
  expect(app.published).toMatchObject([
    { id: sent.id, key: 'k', topic: 'orders', deliverAt: 0, data: '{"total":1}' },
  ])
})

test.each<[unknown, string]>([
  [{ mode: 'later' }, 'INVALID_OPTION'],
  [{ maxBytes: 0 }, 'INVALID_OPTION'],
  [{ maxBytes: '1mb' }, 'INVALID_OPTION'],
  [{ types: ['order*'] }, 'INVALID_PATTERN'],
])('options %j are refused at once', (options, code) => {
  expect(() => httpIngress(recordingApp(), options as never)).toThrow(expect.objectContaining({ code }))
})
