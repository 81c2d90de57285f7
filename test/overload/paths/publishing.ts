import type { Path } from '../path.ts'
import { awaited, unawaited } from '../producers.ts'
import { pathOn, slow, systems, toldWhenFull } from './path-on.ts'

const small = 256

export const publishingPaths: readonly Path[] = systems.flatMap((system) => [
  pathOn(system, 'publish', {
    about: 'a producer that waits for none of its publishes, and handlers that do nothing',
    told: ['PUBLISH_OVERLOADED'],
    handle: () => undefined,
    load: unawaited(small),
  }),
  pathOn(system, 'backlog', {
    about: '64 publishers that wait for each of their events, and 16 handlers of 50 ms',
    told: toldWhenFull(system),
    handle: (_n, overload) => slow(overload),
    load: awaited(small, 64),
  }),
])
