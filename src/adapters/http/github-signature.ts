import { createHmac, timingSafeEqual } from 'node:crypto'
import { MillraceError } from '../../errors/millrace-error.ts'

const shape = /^sha256=([0-9a-f]{64})$/i

/**
 * A `verify` for GitHub webhooks: checks the header X-Hub-Signature-256 against the bytes of the body, in constant time.
 * A request without that header is refused, whatever its older X-Hub-Signature (SHA-1) says.
 * @param secret the webhook's secret
 * @throws MillraceError INVALID_OPTION if the secret is empty
 * @example httpIngress(app, { verify: githubSignature(secret), toEvent })
 */
export function githubSignature(secret: string): (request: Request, bytes: Uint8Array) => boolean {
  // An unset environment variable arrives as undefined, whatever its type says.
  if (typeof secret !== 'string' || secret === '') {
    throw new MillraceError('INVALID_OPTION', 'The secret of githubSignature is empty')
  }
  return (request, bytes) => {
    const signature = shape.exec(request.headers.get('x-hub-signature-256') ?? '')?.[1]
    if (signature === undefined) return false
    const expected = createHmac('sha256', secret).update(bytes).digest()
    return timingSafeEqual(expected, Buffer.from(signature, 'hex'))
  }
}
