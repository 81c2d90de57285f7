import type { QueueCounts, StoredDeadLetter, TransportAdmin } from '../../src/contract/transport-admin.ts'
import { onwards } from '../../src/event/outgoing.ts'
import type { Proof, Sabotage } from './broken-transport.ts'

const admin = (change: (inner: TransportAdmin) => Partial<TransportAdmin>): Sabotage => ({ admin: change })

const counts = (change: (found: QueueCounts) => QueueCounts): Sabotage =>
  admin((inner) => ({ queues: async () => (await inner.queues()).map(change) }))

const everyLetter = (inner: TransportAdmin, queue: string): Promise<readonly StoredDeadLetter[]> =>
  inner.deadLetters(queue, { limit: 1_000 })

/** Wrong ways to keep dead letters, and to serve operators. */
export const operating: Readonly<Record<string, Proof>> = {
  'lets dead events live': {
    by: { settlement: (one) => (one.as === 'dead' ? { ...one, as: 'release' } : one) },
    caughtBy: [
      'a dead letter keeps the event and its record, and leaves the queue',
      'one event may die in one queue and live in another',
    ],
  },
  'loses dead events': {
    by: { settlement: (one) => (one.as === 'dead' ? { ...one, as: 'ack' } : one) },
    caughtBy: [
      'a dead letter keeps the event and its record, and leaves the queue',
      'an event that died cannot be settled again',
      'redrive: an event that dies again is a dead letter again',
      'queues counts every event once: waiting, in flight, retrying, delayed, dead',
    ],
  },
  'loses the record': {
    by: {
      settlement: (one) => {
        if (one.record === undefined) return one
        return { ...one, record: { ...one.record, history: [], error: { name: 'Error', message: '' } } }
      },
    },
    caughtBy: [
      'a dead letter keeps the event and its record, and leaves the queue',
      'redrive: an event that dies again is a dead letter again',
      'a payload of 1 MiB, or of maxBytes, survives death and redrive',
    ],
  },
  'lists dead letters the other way round': {
    by: admin((inner) => ({
      deadLetters: async (queue, page) => (await inner.deadLetters(queue, page)).toReversed(),
    })),
    caughtBy: ['dead letters are listed in the order of death, page by page'],
  },
  'lists every dead letter on every page': {
    by: admin((inner) => ({ deadLetters: (queue) => everyLetter(inner, queue) })),
    caughtBy: ['dead letters are listed in the order of death, page by page'],
  },
  'pages by counting': {
    by: admin((inner) => ({
      async deadLetters(queue, { limit, after = '0' }) {
        return (await everyLetter(inner, queue)).slice(Number(after), Number(after) + limit)
      },
    })),
    caughtBy: ['a page goes on behind a letter that is there no more'],
  },
  'lists the dead letters of all queues': {
    by: admin((inner) => ({
      async deadLetters(_queue, page) {
        const queues = await inner.queues()
        return (await Promise.all(queues.map(({ name }) => inner.deadLetters(name, page)))).flat()
      },
    })),
    caughtBy: ['one event may die in one queue and live in another'],
  },
  'finds no dead letter': {
    by: admin(() => ({ deadLetter: async () => undefined })),
    caughtBy: [
      'a dead letter keeps the event and its record, and leaves the queue',
      'a dead letter is named by its event, a second one of the same event by something of its own',
    ],
  },
  'redrives to the topic': {
    by: {
      admin: (inner, { transport }) => ({
        async redrive(queue, letters) {
          const all = (await everyLetter(inner, queue)).filter(
            ({ letter }) => letters?.includes(letter) ?? true,
          )
          await inner.purge(queue, letters)
          for (const { head, ...letter } of all) {
            if (head !== undefined)
              await transport.publish([{ ...onwards({ ...letter, head }), deliverAt: undefined }])
          }
          return all.length
        },
      }),
    },
    caughtBy: ['redrive: back into its own queue, at attempt 1, with its history'],
  },
  'redrives nothing': {
    by: admin(() => ({ redrive: async () => 0 })),
    caughtBy: [
      'redrive: back into its own queue, at attempt 1, with its history',
      'redrive: an event that dies again is a dead letter again',
      'a payload of 1 MiB, or of maxBytes, survives death and redrive',
    ],
  },
  'redrives everything': {
    by: admin((inner) => ({ redrive: (queue) => inner.redrive(queue, undefined) })),
    caughtBy: [
      'redrive: back into its own queue, at attempt 1, with its history',
      'redrive: all of them, some of them, none of them, and ready wakes',
    ],
  },
  'redrives without the replacement': {
    by: admin((inner) => ({ redrive: (queue, letters) => inner.redrive(queue, letters) })),
    caughtBy: ['redrive with a replacement'],
  },
  'redrives several letters with one replacement': {
    by: admin((inner) => ({
      redrive: (queue, letters, replace) =>
        inner.redrive(queue, letters, letters?.length === 1 ? replace : undefined),
    })),
    caughtBy: ['redrive: a replacement is for exactly one letter, else nothing is changed'],
  },
  'redrives a delayed replacement at once': {
    by: admin((inner) => ({
      redrive: (queue, letters, replace) =>
        inner.redrive(queue, letters, replace && { ...replace, deliverAt: undefined }),
    })),
    caughtBy: ['redrive: a replacement is due by its own deliverAt'],
  },
  'hands out the bytes of its dead letters themselves': {
    by: admin((inner) => {
      const kept = new Map<string, StoredDeadLetter['data']>()
      const own = (letter: StoredDeadLetter): StoredDeadLetter => {
        const data = kept.get(letter.letter) ?? letter.data
        kept.set(letter.letter, data)
        return { ...letter, data }
      }
      return { deadLetters: async (queue, page) => (await inner.deadLetters(queue, page)).map(own) }
    }),
    caughtBy: ['whoever writes into a dead letter changes only their own'],
  },
  'redrives without the history': {
    by: { received: () => ({ trail: undefined }) },
    caughtBy: ['redrive: back into its own queue, at attempt 1, with its history'],
  },
  'purges everything': {
    by: admin((inner) => ({ purge: (queue) => inner.purge(queue, undefined) })),
    caughtBy: ['purge deletes those named, or all', 'a page goes on behind a letter that is there no more'],
  },
  'purges nothing': {
    by: admin(() => ({ purge: async (_queue, letters) => letters?.length ?? 0 })),
    caughtBy: ['purge deletes those named, or all'],
  },
  'unbinds nothing': {
    by: admin(() => ({ unbind: async () => {} })),
    caughtBy: ['unbind takes subscriptions, and leaves what waits'],
  },
  'redrives no unrouted events': {
    by: admin(() => ({ redriveUnrouted: async () => 0 })),
    caughtBy: ['from now on: unrouted events stay where they are until they are redriven'],
  },
  'counts what is held as waiting': {
    by: counts((found) => ({ ...found, depth: found.depth + found.inFlight, inFlight: 0 })),
    caughtBy: ['queues counts every event once: waiting, in flight, retrying, delayed, dead'],
  },
  'counts what lapsed as in flight': {
    by: {
      session: (inner, { holders }) => ({
        async exchange(request) {
          const result = await inner.exchange(request)
          for (const of of result.received) holders.set(of.id, { session: inner, of })
          return result
        },
        settle(list) {
          for (const { of } of list) holders.delete(of.id)
          return inner.settle(list)
        },
      }),
      admin: (inner, { holders }) => ({
        async queues() {
          return (await inner.queues()).map((found) => {
            const lapsed = holders.size - found.inFlight
            return { ...found, depth: found.depth - lapsed, inFlight: found.inFlight + lapsed }
          })
        },
      }),
    },
    caughtBy: ['queues counts an event whose lease ran out as waiting, not as in flight'],
  },
  'counts retries as delayed': {
    by: counts((found) => ({ ...found, delayed: found.delayed + found.retrying, retrying: 0 })),
    caughtBy: ['queues counts every event once: waiting, in flight, retrying, delayed, dead'],
  },
  'knows no age and no rate': {
    by: counts((found) => ({ ...found, oldestMs: 0, handledPerSecond: 0, failedPerSecond: 0 })),
    caughtBy: [
      'queues tells how long the oldest event waits, since it was taken',
      'queues tells how many were handled and how many failed, per second',
    ],
  },
  'tells the age of events since they were made': {
    by: counts((found) => ({ ...found, oldestMs: found.oldestMs && found.oldestMs + 1e9 })),
    caughtBy: ['queues tells how long the oldest event waits, since it was taken'],
  },
  'lists queues in any order': {
    by: admin((inner) => ({ queues: async () => (await inner.queues()).toReversed() })),
    caughtBy: ['queues lists what is declared, by name'],
  },
}
