import { randomUUID } from 'node:crypto'
import type { LastMinute } from '../../../contract/last-minute.ts'
import { fieldsIn } from '../records/stored-json.ts'

type PerSecond = ReturnType<LastMinute['perSecond']>

/** Their records stand in the progress topic, beside those of lanes. */
const prefix = 'rates '

/** Rates that a process has not renewed for so long count no more: it may be gone. In milliseconds. */
const age = 60_000

/** The key for the rates of one process. */
export function newRatesKey(): string {
  return `${prefix}${randomUUID()}`
}

export function isRates(key: string): boolean {
  return key.startsWith(prefix)
}

export function encodeRates(rates: PerSecond, now: number): string {
  return JSON.stringify({ at: now, ...rates })
}

/** The rates of all processes together. */
export function ratesIn(records: ReadonlyMap<string, string>, now: number): PerSecond {
  const sum = { handledPerSecond: 0, failedPerSecond: 0 }
  for (const [key, text] of records) {
    const { handledPerSecond: handled, failedPerSecond: failed } = fieldsIn(text) ?? {}
    if (!isRates(key) || isStale(text, now) || !isNumber(handled) || !isNumber(failed)) continue
    sum.handledPerSecond += handled
    sum.failedPerSecond += failed
  }
  return sum
}

/** The keys of rates that count no more. A process that is there all the same writes its own anew. */
export function staleRatesIn(records: ReadonlyMap<string, string>, now: number): readonly string[] {
  return [...records].filter(([key, text]) => isRates(key) && isStale(text, now)).map(([key]) => key)
}

function isStale(text: string, now: number): boolean {
  const { at } = fieldsIn(text) ?? {}
  return !isNumber(at) || now - at > age
}

function isNumber(value: unknown): value is number {
  return Number.isFinite(value)
}
