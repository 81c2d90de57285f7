import type { KafkaRecord } from '@platformatic/kafka'

/**
 * The record with bytes of its own. As the client reads it, it is a view into what came from the socket with it, 64 KiB
 * as a rule, or into a whole batch if that was compressed.
 */
export function ownBytes(record: KafkaRecord): KafkaRecord {
  const parts = [record.key, record.value, ...record.headers.flat()].filter((part) => part !== null)
  const size = parts.reduce((sum, part) => sum + part.length, 0)
  if (parts.every(({ buffer }) => buffer.byteLength <= size)) return record
  // Not from the pool that small buffers share: it would stay, too.
  const bytes = Buffer.allocUnsafeSlow(size)
  let end = 0
  const copy = (part: Buffer): Buffer => {
    const begin = end
    end += part.copy(bytes, begin)
    return bytes.subarray(begin, end)
  }
  const copyOf = (part: Buffer | null): Buffer | null => (part === null ? null : copy(part))
  const { key, value, headers } = record
  return {
    ...record,
    key: copyOf(key),
    value: copyOf(value),
    headers: headers.map(([name, text]) => [copyOf(name), copyOf(text)]),
  }
}
