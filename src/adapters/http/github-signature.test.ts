import { sign } from '@octokit/webhooks-methods'
import { describe, expect, test } from 'vitest'
import { githubSignature } from './github-signature.ts'

const secret = "It's a Secret to Everybody"
const body = '{"zen":"Zürich 😀"}'
const bytes = Buffer.from(body)
const verify = githubSignature(secret)

function request(headers: Record<string, string>): Request {
  return new Request('http://localhost/', { method: 'POST', body, headers })
}

const signed = (signature: string): Request => request({ 'X-Hub-Signature-256': signature })

describe('githubSignature', () => {
  test('takes what GitHub signs', async () => {
    expect(verify(signed(await sign(secret, body)), bytes)).toBe(true)
    // From GitHub's documentation, "Validating webhook deliveries".
    const known = 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17'
    expect(verify(signed(known), Buffer.from('Hello, World!'))).toBe(true)
  })

  test('refuses another secret, and another body', async () => {
    expect(verify(signed(await sign('another', body)), bytes)).toBe(false)
    const signature = await sign(secret, body)
    expect(verify(signed(signature), Buffer.from(body.replace('zen', 'Zen')))).toBe(false)
    expect(verify(signed(signature), Buffer.from(`${body}\n`))).toBe(false)
  })

  test('refuses a header that is not one SHA-256 in hex', async () => {
    const signature = await sign(secret, body)
    const hex = signature.slice('sha256='.length)
    const wrong = [
      signature.slice(0, -1),
      signature.slice(0, -2),
      `${signature}00`,
      `${signature}, ${signature}`,
      hex,
      `sha1=${hex}`,
      `sha256=${hex.replace(/.$/, 'g')}`,
      'sha256=',
      '',
    ]
    for (const value of wrong) expect(verify(signed(value), bytes), value).toBe(false)
  })

  test('refuses a request without it, whatever the SHA-1 header says', async () => {
    expect(verify(request({}), bytes)).toBe(false)
    expect(verify(request({ 'X-Hub-Signature': await sign(secret, body) }), bytes)).toBe(false)
  })

  test.each(['', undefined])('does not work with the secret %j', (empty) => {
    const expected = expect.objectContaining({ code: 'INVALID_OPTION' })
    expect(() => githubSignature(empty as string)).toThrow(expected)
  })
})
