import { expect } from 'vitest'
import { recordingApp } from './recording-app.ts'
import { httpIngress, type HttpIngressOptions } from '../src/adapters/http/ingress.ts'

type Body = string | Uint8Array<ArrayBuffer> | ReadableStream

export function post(body: Body | null, headers: Record<string, string>): Request {
  return new Request('http://localhost/any/path?x=1', { method: 'POST', body, headers, duplex: 'half' })
}

export const structured = 'application/cloudevents+json'
export const batched = 'application/cloudevents-batch+json'
const event = (members: object = {}): object => ({
  specversion: '1.0',
  id: '1',
  type: 'order.placed',
  source: '/shop',
  ...members,
})
export const json = (members: object = {}): string => JSON.stringify(event(members))
export const cloudEvent = (members: object = {}): Request =>
  post(json(members), { 'content-type': structured })
const ceHeaders = {
  'ce-specversion': '1.0',
  'ce-id': '1',
  'ce-type': 'order.placed',
  'ce-source': '/shop',
}
export const binary = (body: Body | null, headers: Record<string, string> = {}): Request =>
  post(body, { 'content-type': 'application/json', ...ceHeaders, ...headers })

/** Status, code and the rest of an answer; every refusal must leave the app untouched. */
export async function answerTo(request: Request, options: HttpIngressOptions = {}, app = recordingApp()) {
  const response = await httpIngress(app, options)(request)
  const body =
    response.status === 204
      ? {}
      : ((await response.json()) as { code?: string; message?: string; ids?: string[] })
  if (response.status >= 400 && response.status < 500) expect(app.published).toEqual([])
  return { status: response.status, headers: response.headers, ...body, app }
}

export function chunks(...parts: (string | Uint8Array)[]): ReadableStream {
  return ReadableStream.from(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)))
}
