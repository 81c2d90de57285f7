import { MillraceError, isMillraceError } from '../../errors/millrace-error.ts'

/**
 * The bytes of the body. Content-Length is only believed when it admits to too much; what counts is what arrives, and
 * reading ends with the first byte over the limit.
 * @param take makes room for so many bytes, and may refuse to
 * @throws MillraceError HTTP_TOO_LARGE; HTTP_BAD_REQUEST if the upload broke off
 */
export async function readBody(
  request: Request,
  maxBytes: number,
  take: (bytes: number) => void,
): Promise<Uint8Array> {
  const tooLarge = (): MillraceError =>
    new MillraceError('HTTP_TOO_LARGE', `The body is larger than ${maxBytes} bytes`)
  if (Number(request.headers.get('content-length')) > maxBytes) throw tooLarge()
  if (request.bodyUsed) throw new Error('The body was read before the ingress got the request')
  const chunks: Uint8Array[] = []
  let size = 0
  try {
    for await (const chunk of request.body ?? []) {
      size += chunk.byteLength
      if (size > maxBytes) throw tooLarge()
      take(chunk.byteLength)
      chunks.push(chunk)
    }
  } catch (cause) {
    if (isMillraceError(cause)) throw cause
    throw new MillraceError('HTTP_BAD_REQUEST', 'The body broke off', { cause })
  }
  return Buffer.concat(chunks)
}
