import { messageOf, MillraceError } from '../../../errors/millrace-error.ts'

/** What the client's errors, which may hold several, can be asked. */
interface Searchable {
  findBy(property: string, value: unknown): unknown
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === code
}

/** Whether Kafka said this, as the protocol names it, anywhere in the error. */
export function says(error: unknown, ...names: readonly string[]): boolean {
  return names.some((name) => found(error, 'apiId', name))
}

export function isNetwork(error: unknown): boolean {
  return found(error, 'code', 'PLT_KFK_NETWORK')
}

/** Whether a broker does not know the name, or not with this password, or not this way to log in. */
export function isLoginRefused(error: unknown): boolean {
  return layersOf(error).some((one) => hasCode(one, 'PLT_KFK_AUTHENTICATION'))
}

/** What went wrong in the first place. */
export function rootOf(error: unknown): unknown {
  return layersOf(error).at(-1)
}

/** The client wraps errors in errors, as causes and in lists. From the outermost to the innermost, of a list its first. */
function layersOf(error: unknown): readonly unknown[] {
  const { cause, errors } = Object(error) as { cause?: unknown; errors?: readonly unknown[] }
  const within = cause ?? errors?.[0]
  return within === undefined ? [error] : [error, ...layersOf(within)]
}

/** The client has no error of Kafka's for a topic that is not there: it makes one of its own. */
export function isUnknownTopic(error: unknown): boolean {
  return says(error, 'UNKNOWN_TOPIC_OR_PARTITION', 'UNKNOWN_TOPIC_ID') || isUnsent(error)
}

/** The client sends nothing if it does not find one of the topics. Once it has sent something it wraps this error. */
export function isUnsent(error: unknown): boolean {
  return messageOf(error).startsWith('Unknown topic')
}

/** The member belongs to the group no more, or not in this generation. */
export function isExpelled(error: unknown): boolean {
  return says(error, 'UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'FENCED_INSTANCE_ID')
}

/** Our error for one of the client's. */
export function failure(error: unknown, what: string): MillraceError {
  if (error instanceof MillraceError) return error
  const message = `${what}: ${messageOf(error)}`
  if (says(error, 'MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE')) {
    return new MillraceError('EVENT_TOO_LARGE', message, { cause: error })
  }
  return new MillraceError(isNetwork(error) ? 'CONNECTION_LOST' : 'KAFKA_FAILED', message, { cause: error })
}

function found(error: unknown, property: string, value: unknown): boolean {
  if (!(error instanceof Error) || typeof (error as Partial<Searchable>).findBy !== 'function') return false
  return (error as Error & Searchable).findBy(property, value) !== null
}
