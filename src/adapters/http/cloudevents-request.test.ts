import { CloudEvent, HTTP, type Message } from 'cloudevents'
import { describe, expect, onTestFinished, test } from 'vitest'
import { recordingApp } from '../../../test/recording-app.ts'
import type { Outgoing } from '../../event/outgoing.ts'
import { httpIngress } from './ingress.ts'
import { serve } from './serve.ts'

// What the CloudEvents SDK for JavaScript sends, over real HTTP.

const big = '{"n":12345678901234567890, "s":"\\u00e4"}'
const plain = {
  id: 'c-1',
  type: 'order.placed',
  source: '/shop',
  subject: 'order 7',
  time: '2026-01-31T09:30:00.123Z',
  dataschema: 'https://example.org/schema',
  partitionkey: 'k',
  traceparent: '00-1',
}
const attributes = {
  id: 'c-1',
  type: 'order.placed',
  topic: 'order',
  key: 'k',
  head: {
    source: '/shop',
    subject: 'order 7',
    time: Date.parse(plain.time),
    extensions: { dataschema: 'https://example.org/schema', traceparent: '00-1' },
  },
}

async function send(message: Message<unknown>): Promise<{ status: number; published: readonly Outgoing[] }> {
  const app = recordingApp()
  const server = await serve({ fetch: httpIngress(app) }, { port: 0 })
  onTestFinished(() => server.close())
  const response = await fetch(`http://127.0.0.1:${server.port}/`, {
    method: 'POST',
    headers: message.headers as Record<string, string>,
    body: message.body as NonNullable<RequestInit['body']>,
  })
  return { status: response.status, published: app.published }
}

const textOf = (data: Outgoing['data'] | undefined): string => Buffer.from(data as Uint8Array).toString()

describe('the CloudEvents SDK sends', () => {
  test('a structured event', async () => {
    const { status, published } = await send(
      HTTP.structured(new CloudEvent({ ...plain, data: { total: 1.5, ä: '€' } })),
    )
    expect(status).toBe(202)
    expect(published).toMatchObject([{ ...attributes, data: '{"total":1.5,"ä":"€"}' }])
  })

  test('a structured event with the bytes of its data', async () => {
    const event = new CloudEvent({ ...plain, datacontenttype: 'application/json', data: Buffer.from(big) })
    const { status, published } = await send(HTTP.structured(event))
    expect(status).toBe(202)
    expect(published).toMatchObject([attributes])
    expect(textOf(published[0]?.data)).toBe(big)
  })

  test('a structured event whose JSON text was written elsewhere', async () => {
    const { headers, body } = HTTP.structured(new CloudEvent({ ...plain, data: 'here' }))
    const { status, published } = await send({ headers, body: String(body).replace('"here"', big) })
    expect(status).toBe(202)
    expect(published).toMatchObject([{ ...attributes, data: big }])
  })

  test('a binary event', async () => {
    const event = new CloudEvent({ ...plain, datacontenttype: 'application/json', data: Buffer.from(big) })
    const { status, published } = await send(HTTP.binary(event))
    expect(status).toBe(202)
    expect(published).toMatchObject([attributes])
    expect(textOf(published[0]?.data)).toBe(big)
  })

  test('a binary event of text, and one of an object', async () => {
    const text = await send(
      HTTP.binary(new CloudEvent({ ...plain, datacontenttype: 'text/plain', data: 'Grüße' })),
    )
    expect(text.published).toMatchObject([
      { ...attributes, head: { ...attributes.head, contentType: 'text/plain' } },
    ])
    expect(textOf(text.published[0]?.data)).toBe('Grüße')
    const object = await send(HTTP.binary(new CloudEvent({ ...plain, data: { total: 1 } })))
    expect(textOf(object.published[0]?.data)).toBe('{"total":1}')
  })

  test('a batch, which it can only read, so it is made of its events', async () => {
    const events = ['a', 'b'].map((id) => new CloudEvent({ ...plain, id, data: { id } }))
    const body = `[${events.map((event) => event.toString()).join(',')}]`
    const { status, published } = await send({
      headers: { 'content-type': 'application/cloudevents-batch+json' },
      body,
    })
    expect(status).toBe(202)
    expect(published).toMatchObject([
      { ...attributes, id: 'a', data: '{"id":"a"}' },
      { ...attributes, id: 'b', data: '{"id":"b"}' },
    ])
  })
})
