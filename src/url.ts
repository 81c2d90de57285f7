import type { SqliteOptions } from './adapters/sqlite/index.ts'
import type { Features } from './contract/features.ts'
import type {
  DeclareReport,
  QueueSpec,
  Session,
  SessionOptions,
  Transport,
  TransportPublishOptions,
} from './contract/transport.ts'
import type { TransportAdmin } from './contract/transport-admin.ts'
import { MillraceError } from './errors/millrace-error.ts'
import type { Outgoing } from './event/outgoing.ts'

/** How each scheme is opened. Adapters are loaded when a URL asks for them, so that nobody pays for the others. */
const schemes: Readonly<Record<string, (url: string) => Promise<Transport>>> = {
  memory: async () => (await import('./adapters/memory/index.ts')).memory(),
  kafka: async (url) => (await import('./adapters/kafka/index.ts')).kafkaFromUrl(url),
  kafkas: async (url) => (await import('./adapters/kafka/index.ts')).kafkaFromUrl(url),
  postgres: async (url) => (await import('./adapters/postgres/index.ts')).postgres(url),
  postgresql: async (url) => (await import('./adapters/postgres/index.ts')).postgres(url),
  sqlite: async (url) => (await import('./adapters/sqlite/index.ts')).sqlite(sqliteOptions(url)),
}

/** Tells at once whether the URL can be a transport's. @throws MillraceError UNKNOWN_TRANSPORT */
export function schemeOf(url: string): string {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(url)?.[1]?.toLowerCase()
  if (scheme !== undefined && Object.hasOwn(schemes, scheme)) return scheme
  const known = Object.keys(schemes).map((name) => `${name}:`)
  throw new MillraceError(
    'UNKNOWN_TRANSPORT',
    `No transport for '${redacted(url)}'. Known: ${known.join(', ')}`,
  )
}

export function transportFromUrl(url: string): Promise<Transport> {
  return (schemes[schemeOf(url)] as (url: string) => Promise<Transport>)(url)
}

/** `sqlite:shop.db`, `sqlite:/var/lib/shop.db`, `sqlite:///var/lib/shop.db?durability=process&retention=30d`. */
function sqliteOptions(url: string): SqliteOptions {
  const [, path, query] = /^sqlite:([^?]*)(?:\?(.*))?$/is.exec(url) ?? []
  const parameters = Object.fromEntries(new URLSearchParams(query))
  const unknown = Object.keys(parameters).find((name) => name !== 'durability' && name !== 'retention')
  if (unknown !== undefined) {
    const what = `There is no parameter '${unknown}'; sqlite has durability and retention`
    throw new MillraceError('INVALID_OPTION', `'${redacted(url)}' cannot be opened. ${what}`)
  }
  // What the values may be, sqlite() checks itself.
  return { path: pathOf(path ?? '', url), ...(parameters as Omit<SqliteOptions, 'path'>) }
}

function pathOf(text: string, url: string): string {
  let path: string
  try {
    path = decodeURIComponent(text).replace(/^\/\/(?=\/)/, '')
  } catch (cause) {
    const what = 'The path is not percent-encoded correctly; write % as %25'
    throw new MillraceError('INVALID_OPTION', `'${redacted(url)}' cannot be opened. ${what}`, { cause })
  }
  if (path !== '' && !path.startsWith('//')) return path
  throw new MillraceError(
    'INVALID_OPTION',
    `No path in '${redacted(url)}'. Write sqlite:shop.db or sqlite:///var/lib/shop.db`,
  )
}

/** The URL without secrets, for messages: no password before the host, no value of a parameter that may hold one. */
export function redacted(url: string): string {
  return url
    .replace(/\/\/([^/?#:@]*):[^/?#]*@/, '//$1:***@')
    .replace(/([?&][^=&#]*(?:password|secret|token|key)[^=&#]*=)[^&#]*/gi, '$1***')
}

/** A transport known by its URL: made when it is first used, because its code is loaded only then. */
export class UrlTransport implements Transport {
  readonly system: string
  readonly #url: string
  #loading: Promise<Transport> | undefined
  #loaded: Transport | undefined

  /** @throws MillraceError UNKNOWN_TRANSPORT */
  constructor(url: string) {
    this.system = schemeOf(url)
    this.#url = url
  }

  /** The transport itself. A failure is not remembered: what was missing may be there the next time. */
  load(): Promise<Transport> {
    this.#loading ??= transportFromUrl(this.#url).then(
      (transport) => (this.#loaded = transport),
      (error: unknown) => {
        this.#loading = undefined
        throw error
      },
    )
    return this.#loading
  }

  get features(): Features {
    return this.#now.features
  }

  get admin(): TransportAdmin {
    return this.#now.admin
  }

  get #now(): Transport {
    if (this.#loaded !== undefined) return this.#loaded
    throw new MillraceError(
      'TRANSPORT_UNREACHABLE',
      `The transport '${redacted(this.#url)}' is known after the first publish, start or await`,
    )
  }

  async declare(queues: readonly QueueSpec[]): Promise<DeclareReport> {
    return (await this.load()).declare(queues)
  }

  async publish(events: readonly Outgoing[], options?: TransportPublishOptions): Promise<void> {
    return (await this.load()).publish(events, options)
  }

  async open(queue: string, options: SessionOptions): Promise<Session> {
    return (await this.load()).open(queue, options)
  }

  async close(options?: { readonly signal?: AbortSignal }): Promise<void> {
    const transport = await this.#loading?.catch(() => undefined) // what was not made needs no closing
    await transport?.close(options)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
