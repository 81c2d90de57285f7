import { createHash } from 'node:crypto'

/** Where NOTIFY tells of new events in a schema; the payload is the id of a queue, and what else only sessions say. The schema's own name may be too long for one. */
export function channelOf(schema: string): string {
  return `millrace_${createHash('sha256').update(schema).digest('hex').slice(0, 32)}`
}
