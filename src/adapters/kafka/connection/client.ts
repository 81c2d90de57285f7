import type * as Kafka from '@platformatic/kafka'
import { pause, systemClock } from '../../../clock/clock.ts'
import { messageOf, MillraceError } from '../../../errors/millrace-error.ts'
import { hasCode, isLoginRefused, rootOf } from './failures.ts'
import type { KafkaSasl } from '../options.ts'

export interface ClientOptions {
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly sasl: KafkaSasl | undefined
  readonly tls: Readonly<Record<string, unknown>> | undefined
}

/** Requests that fail are repeated so often, with this wait: a broker that restarts is back within seconds. */
const retries = 6
const waitAfter = (attempt: number): number => Math.min(100 * 2 ** attempt, 2_000)

/** Who only wants to know whether somebody is there is told sooner: after about three seconds. */
const firstRetries = 4

/** A broker that does not answer within this time, in milliseconds, is taken to hang: the connection is given up. */
const requestTimeout = 10_000
/** Before that the broker itself is to say that it could not do it. */
const brokerTimeout = 8_000

/** The connections that all of a transport shares, and how to make those of a consumer. */
export class Client {
  readonly admin: Kafka.Admin
  readonly producer: Kafka.Producer
  readonly #library: typeof Kafka
  readonly #base: Kafka.BaseOptions

  private constructor(library: typeof Kafka, { brokers, clientId, sasl, tls }: ClientOptions) {
    this.#library = library
    this.#base = {
      clientId,
      bootstrapBrokers: [...brokers],
      timeout: brokerTimeout,
      requestTimeout,
      retries,
      retryDelay: (_client, _operation, attempt) => waitAfter(attempt),
      ...(sasl === undefined ? {} : { sasl }),
      ...(tls === undefined ? {} : { tls }),
    }
    this.admin = new library.Admin(this.#base)
    this.producer = new library.Producer({ ...this.#base, idempotent: true, repeatOnStaleMetadata: true })
  }

  /** @throws MillraceError MISSING_PEER, LOGIN_REFUSED, TRANSPORT_UNREACHABLE */
  static async open(options: ClientOptions): Promise<Client> {
    const client = new Client(await loadLibrary(), options)
    const where = `Kafka at ${options.brokers.join(', ')}`
    for (let attempt = 1; ; attempt++) {
      try {
        await client.admin.metadata({ topics: [], retries: 0 })
        return client
      } catch (cause) {
        const refused = isLoginRefused(cause)
        if (!refused && attempt <= firstRetries) {
          await pause(systemClock, waitAfter(attempt))
          continue
        }
        await client.close()
        const why = messageOf(rootOf(cause))
        if (refused) throw new MillraceError('LOGIN_REFUSED', `${where} refuses the login: ${why}`, { cause })
        throw new MillraceError('TRANSPORT_UNREACHABLE', `${where} does not answer: ${why}`, { cause })
      }
    }
  }

  /** Reads without being a member of a group. What fails is repeated by whoever asked. */
  reader(): Kafka.Consumer {
    return new this.#library.Consumer({ ...this.#base, groupId: 'millrace-reader', retries: 0 })
  }

  /** Repeats nothing by itself: an offset commit that failed for a rebalance must not be sent in the next generation. */
  member(
    groupId: string,
    options: Kafka.GroupOptions & { readonly rebalanceTimeout: number },
  ): Kafka.Consumer {
    return new this.#library.Consumer({
      ...this.#base,
      ...options,
      groupId,
      retries: 0,
      // A join is answered when all others have joined.
      requestTimeout: options.rebalanceTimeout + requestTimeout,
    })
  }

  async close(): Promise<void> {
    await Promise.all([this.producer.close(), this.admin.close()])
  }
}

async function loadLibrary(): Promise<typeof Kafka> {
  try {
    return await import('@platformatic/kafka')
  } catch (cause) {
    if (!hasCode(cause, 'ERR_MODULE_NOT_FOUND')) throw cause
    const message = 'The Kafka transport needs its client: npm i @platformatic/kafka'
    throw new MillraceError('MISSING_PEER', message, { cause })
  }
}
