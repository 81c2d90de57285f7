import type { Places } from '../records/reader.ts'
import { fieldsIn, isFields, isOffset, jsonIn } from '../records/stored-json.ts'

/** Places in topics, by their names. */
export type PlacesByTopic = Readonly<Record<string, Places>>

/** What one record of the registry says. Without `value`: that the queue, or its subscription, is gone. */
export type RegistryRecord =
  | { readonly of: 'queue'; readonly name: string; readonly value: { readonly order: boolean } | undefined }
  | {
      readonly of: 'subscription'
      readonly name: string
      readonly topic: string
      readonly pattern: string
      readonly value: { readonly start: PlacesByTopic; readonly until?: PlacesByTopic } | undefined
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
  if (!isPlacesByTopic(start) || (until !== undefined && !isPlacesByTopic(until))) return undefined
  const places = { start, ...(until !== undefined && { until }) }
  return { of: 'subscription', name, topic, pattern, value: places }
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((part) => typeof part === 'string')
}

function isPlacesByTopic(value: unknown): value is PlacesByTopic {
  return isFields(value) && Object.values(value).every(isPlaces)
}

function isPlaces(value: unknown): value is Places {
  if (!isFields(value)) return false
  const { id, offsets } = value
  return typeof id === 'string' && Array.isArray(offsets) && offsets.every(isOffset)
}
