import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { sign } from '@octokit/webhooks-methods'
import type { Logger } from 'millrace'
import { secret } from './ingress.ts'

/** A webhook as GitHub would send it. */
interface Webhook {
  readonly id: string
  readonly kind: string
  readonly body: string
}

/** What became of a webhook that was sent. `id` is its X-GitHub-Delivery, and so the id of its event. */
export interface Sent {
  readonly id: string
  readonly type: string
  readonly accepted: boolean
}

/** How many requests run at once. */
const concurrency = 8

/**
 * The 329 payloads that @octokit/webhooks-examples has recorded. None carries a delivery id and five equal another one, so
 * each gets an id of its own.
 */
export function recordedWebhooks(): readonly Webhook[] {
  const require = createRequire(import.meta.url)
  const kinds = require('@octokit/webhooks-examples') as readonly {
    name: string
    examples: readonly object[]
  }[]
  return kinds.flatMap(({ name, examples }) =>
    examples.map((payload) => ({ id: randomUUID(), kind: name, body: JSON.stringify(payload) })),
  )
}

interface SendOptions {
  readonly url: string
  /** Aborting it ends the sending early. */
  readonly signal: AbortSignal
  readonly logger: Logger
  readonly onSent: () => void
}

/** Signs and sends them all. */
export async function send(
  webhooks: readonly Webhook[],
  { url, signal, logger, onSent }: SendOptions,
): Promise<readonly Sent[]> {
  const all: Sent[] = []
  const waiting = webhooks.values()
  const sender = async (): Promise<void> => {
    // All senders take from one iterator.
    for (const webhook of waiting) {
      if (signal.aborted) return
      const refusal = await post(webhook, url)
      if (refusal !== undefined) logger.warn(`${webhook.kind} ${webhook.id} was not accepted: ${refusal}`)
      all.push({ id: webhook.id, type: `github.${webhook.kind}`, accepted: refusal === undefined })
      onSent()
    }
  }
  await Promise.all(Array.from({ length: concurrency }, sender))
  return all
}

/** Gives undefined if it was accepted, else why not. */
async function post({ id, kind, body }: Webhook, url: string): Promise<string | undefined> {
  const headers = {
    'content-type': 'application/json',
    'x-github-delivery': id,
    'x-github-event': kind,
    'x-hub-signature-256': await sign(secret, body),
  }
  try {
    const response = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(30_000) })
    const answer = await response.text()
    return response.status === 202 ? undefined : `${response.status} ${answer}`
  } catch (error) {
    return String(error)
  }
}
