import { MillraceError } from '../../../errors/millrace-error.ts'
import { registryTopic } from './topics.ts'
import { namesOf, topicsOf } from './queue-topics.ts'

const suffixes = namesOf(topicsOf(''))

/** The queue whose own topic this is, if there is such a queue. */
export function ownerOf(topic: string): string | undefined {
  const suffix = suffixes.find((one) => topic.endsWith(one))
  return suffix && topic.slice(0, -suffix.length)
}

/** Whether the topic is none for events, given which queues there are. */
export function isReserved(topic: string, isQueue: (name: string) => boolean): boolean {
  const owner = ownerOf(topic)
  return topic === registryTopic || (owner !== undefined && isQueue(owner))
}

export function reserved(topic: string): MillraceError {
  const whose = topic === registryTopic ? 'lists the queues' : `belongs to the queue '${ownerOf(topic)}'`
  return new MillraceError('TOPIC_RESERVED', `The topic '${topic}' ${whose} and takes no events`)
}
