import { createEvent, MillraceError, type MillraceEvent } from 'millrace'
import { githubSignature, type HttpIngressOptions } from 'millrace/http'

/** What senders sign their webhooks with. Give your own before anybody but this machine can reach the service. */
export const secret = process.env.GITHUB_WEBHOOK_SECRET || 'millrace-example'

/** How the app takes events over HTTP. GitHub sends at most 25 MiB. */
export const http: HttpIngressOptions = { verify: githubSignature(secret), toEvent, maxBytes: 25 * 2 ** 20 }

/**
 * GitHub's delivery id becomes the event's id, its kind of event the type, the repository the key.
 * What is thrown here is answered with 400.
 */
function toEvent(request: Request, bytes: Uint8Array): MillraceEvent {
  const kind = request.headers.get('x-github-event')
  const id = request.headers.get('x-github-delivery')
  if (kind === null || id === null) {
    throw new MillraceError(
      'HTTP_BAD_REQUEST',
      'The headers X-GitHub-Event and X-GitHub-Delivery are expected',
    )
  }
  const data = JSON.parse(new TextDecoder().decode(bytes)) as { repository?: { full_name?: string } } | null
  const key = data?.repository?.full_name
  return createEvent(`github.${kind}`, data, { id, source: '/github', ...(key !== undefined && { key }) })
}
