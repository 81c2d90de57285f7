import { describe, expect, test } from 'vitest'
import {
  post,
  structured,
  batched,
  json,
  cloudEvent,
  binary,
  answerTo,
  chunks,
} from '../../../test/ingress-requests.ts'
import { recordingApp } from '../../../test/recording-app.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import { toCloudEventJson } from '../../event/cloudevents.ts'
import { createEvent } from '../../event/event.ts'
import { httpIngress, type HttpIngressOptions } from './ingress.ts'

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
