import type { Path } from './path.ts'
import { consumingPaths } from './paths/consuming.ts'
import { httpPaths } from './paths/http.ts'
import { outboxPaths } from './paths/outbox.ts'
import { publishingPaths } from './paths/publishing.ts'

/** All that can be overloaded. */
export const paths: readonly Path[] = [...publishingPaths, ...httpPaths, ...consumingPaths, ...outboxPaths]
