import { fieldsIn, isFields, isOffset, jsonIn } from './stored-json.ts'

/** Offsets of the partitions of topics. */
export type Places = Readonly<Record<string, readonly number[]>>

/** What one record of the registry says. Without `value`: that the queue, or its subscription, is gone. */
export type RegistryRecord =
  | { readonly of: 'queue'; readonly name: string; readonly value: { readonly order: boolean } | undefined }
  | {
      readonly of: 'subscription'
      readonly name: string
      readonly topic: string
      readonly pattern: string
      readonly value: { readonly start: Places; readonly until?: Places } | undefined
    }

/** Undefined: the record is none of ours. */
export function registryRecordIn(key: string, text: string | undefined): RegistryRecord | undefined {
  const parts = jsonIn(key)
  if (!isTexts(parts)) return undefined
  const [name, topic, pattern] = parts
  const value = text === undefined ? undefined : fieldsIn(text)
  if (name === undefined || (text !== undefined && value === undefined)) return undefined
  if (parts.length === 1) {
    if (value === undefined) return { of: 'queue', name, value }
    const { order } = value
    return typeof order === 'boolean' ? { of: 'queue', name, value: { order } } : undefined
  }
  if (topic === undefined || pattern === undefined || parts.length > 3) return undefined
  if (value === undefined) return { of: 'subscription', name, topic, pattern, value }
  const { start, until } = value
  if (!isPlaces(start) || (until !== undefined && !isPlaces(until))) return undefined
  const places = { start, ...(until !== undefined && { until }) }
  return { of: 'subscription', name, topic, pattern, value: places }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((part) => typeof part === 'string')
}

function isPlaces(value: unknown): value is Places {
  return isFields(value) && Object.values(value).every((list) => Array.isArray(list) && list.every(isOffset))
}
