import type { Client } from '../connection/client.ts'
import { moveReserve, topicResource } from './topics.ts'

/** How large a record may be, and how large the part of the log that it has to stand in. */
const limits = ['max.message.bytes', 'segment.bytes']

/** Operation: the value takes the place of the one there is. */
const set = 0

/** Makes topics take records of these sizes, in bytes, by their names. None takes less than before. */
export async function widen({ admin }: Client, sizes: ReadonlyMap<string, number>): Promise<void> {
  const described = await admin.describeConfigs({
    resources: [...sizes.keys()].map((resourceName) => ({
      resourceType: topicResource,
      resourceName,
      configurationKeys: limits,
    })),
  })
  const resources = described.flatMap(({ resourceName, configs }) => {
    const wanted = (sizes.get(resourceName) ?? 0) + moveReserve
    const narrow = configs.filter(({ value }) => Number(value) < wanted)
    if (narrow.length === 0) return []
    const wider = narrow.map(({ name }) => ({ name, configOperation: set, value: String(wanted) }) as const)
    return [{ resourceType: topicResource, resourceName, configs: wider }]
  })
  if (resources.length > 0) await admin.incrementalAlterConfigs({ resources })
}
