import { MillraceError } from '../../errors/millrace-error.ts'
import {
  fromCloudEventAttributes,
  fromCloudEventBatch,
  fromCloudEventJson,
  type DecodeOptions,
} from '../../event/cloudevents.ts'
import type { MillraceEvent } from '../../event/event.ts'
import { decodeData, isJson, mediaType, textOf } from '../../event/payload.ts'

/*
 * CloudEvents HTTP binding 1.0.2, receiving side
 * (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md).
 */

const charset = /;\s*charset\s*=\s*"?([^\s";]+)/i
const utf8 = new Set(['utf-8', 'utf8', 'us-ascii'])

/** @throws MillraceError HTTP_MEDIA_TYPE, and as fromCloudEventJson */
export function eventsOfRequest(
  request: Request,
  bytes: Uint8Array,
  options: DecodeOptions,
): readonly MillraceEvent[] {
  const contentType = request.headers.get('content-type') ?? undefined
  const name = charset.exec(contentType ?? '')?.[1]
  if (isJson(contentType) && name !== undefined && !utf8.has(name.toLowerCase())) {
    throw new MillraceError('HTTP_MEDIA_TYPE', `JSON is UTF-8; the charset ${name} is not taken`)
  }
  const events = decode(request, contentType, bytes, options)
  // Data is decoded by whoever looks at it first. Here the sender still listens, so malformed data is refused.
  for (const event of events) decodeData(event.bytes, event.contentType)
  return events
}

function decode(
  request: Request,
  contentType: string | undefined,
  bytes: Uint8Array,
  options: DecodeOptions,
): readonly MillraceEvent[] {
  const type = mediaType(contentType ?? '')
  if (type === 'application/cloudevents+json') return [fromCloudEventJson(bytes, options)]
  if (type === 'application/cloudevents-batch+json') return fromCloudEventBatch(bytes, options)
  if (type.startsWith('application/cloudevents') || !request.headers.has('ce-specversion')) {
    throw new MillraceError('HTTP_MEDIA_TYPE', `Not a CloudEvent: ${type === '' ? 'no content type' : type}`)
  }
  const attributes = [...request.headers]
    .filter(([header]) => header.startsWith('ce-'))
    .map(([header, value]) => [header.slice('ce-'.length), attributeValue(header, value)])
  return [fromCloudEventAttributes(Object.fromEntries(attributes), contentType, bytes, options)]
}

/** Section 3.1.3.2: quotes are taken away first, then one round of percent-decoding; what is not UTF-8 is refused. */
function attributeValue(header: string, value: string): string {
  const quoted = /^"(.*)"$/.exec(value)?.[1]
  const plain = quoted === undefined ? value : quoted.replaceAll(/\\(.)/g, '$1')
  const octets = plain.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(parseInt(hex, 16)),
  )
  try {
    return textOf(Buffer.from(octets, 'latin1'))
  } catch (cause) {
    throw new MillraceError('DECODE_FAILED', `The header ${header} is not UTF-8`, { cause })
  }
}
