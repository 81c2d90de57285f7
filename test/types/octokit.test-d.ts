import type { WebhookEventMap } from '@octokit/webhooks-types'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { expectTypeOf, test } from 'vitest'
import { defineEvents, millrace, type MillraceEvent } from '../../src/index.ts'

/* The largest payload types that many people use: every kind of GitHub webhook in one catalog. */

type Kind = keyof WebhookEventMap
declare const schemas: {
  [K in Kind as `github.${K}`]: StandardSchemaV1<WebhookEventMap[K], WebhookEventMap[K]>
}

test('all kinds of webhook make a catalog', () => {
  const events = defineEvents(schemas)
  expectTypeOf(events.types).toEqualTypeOf<readonly `github.${Kind}`[]>()
  const app = millrace({ transport: 'memory:', events })
  app
    .queue('q')
    .on('github.pull_request', (event) => {
      expectTypeOf(event).toEqualTypeOf<
        MillraceEvent<'github.pull_request', WebhookEventMap['pull_request']>
      >()
      if (event.data.action === 'closed')
        expectTypeOf(event.data.pull_request.merged).toEqualTypeOf<boolean>()
    })
    .on('github.*', (event) => {
      if (event.type === 'github.star') expectTypeOf(event.data.starred_at).toEqualTypeOf<string | null>()
    })
  void app.publish('github.ping', {} as WebhookEventMap['ping'])
  // @ts-expect-error
  void app.publish('github.ping', { zen: 1 })
})
