import { describe, expect, test } from 'vitest'
import {
  post,
  structured,
  batched,
  json,
  cloudEvent,
  binary,
  answerTo,
} from '../../../test/ingress-requests.ts'
import { recordingApp } from '../../../test/recording-app.ts'
import { signal } from '../../../test/signals.ts'
import { PublishError } from '../../contract/publish-error.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import { httpIngress } from './ingress.ts'

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
