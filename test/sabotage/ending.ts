import type { ExchangeResult, Session } from '../../src/contract/transport.ts'
import type { TransportAdmin } from '../../src/contract/transport-admin.ts'
import { aborted } from '../../src/clock/aborted.ts'
import { isMillraceError } from '../../src/errors/millrace-error.ts'
import type { Proof, Sabotage } from './broken-transport.ts'

const nothing: ExchangeResult = { received: [] }

/** What is refused with the code is answered instead. */
const answering =
  <T>(code: string, answer: T) =>
  (error: unknown): T => {
    if (isMillraceError(error, code)) return answer
    throw error
  }

const isRemoved = (inner: Session): Promise<boolean> =>
  inner.exchange({ settle: [], max: 0 }).then(
    () => false,
    (error: unknown) => isMillraceError(error, 'UNKNOWN_QUEUE'),
  )

const afterQuiesce = (ready: (inner: Session) => Session['ready']): Sabotage => ({
  session(inner) {
    let quiet = false
    return {
      async quiesce() {
        quiet = true
        await inner.quiesce()
      },
      ready: (signal) => (quiet ? ready(inner)(signal) : inner.ready(signal)),
    }
  },
})

/** Answers what the operator asks, whatever is wrong with it. */
const neverRefused = (call: keyof TransportAdmin): Proof => ({
  by: {
    admin: (inner) => ({
      [call]: (...args: never[]) =>
        (inner[call] as (...all: never[]) => Promise<unknown>)(...args).catch(() => 0),
    }),
  },
  caughtBy: [
    'a queue that does not exist, or no more, is UNKNOWN_QUEUE everywhere',
    'close may be repeated, and then everything is STOPPED',
  ],
})

/** Wrong ways to end sessions, queues and transports. */
export const ending: Readonly<Record<string, Proof>> = {
  'never stops claiming': {
    by: { session: () => ({ quiesce: async () => {} }) },
    caughtBy: ['quiesce: no new events, but those held can be settled and extended'],
  },
  'wakes for what it does not take after quiesce': {
    by: afterQuiesce(() => async () => {}),
    caughtBy: ['ready waits for its signal after quiesce, and ends with its session'],
  },
  'waits on when its session has ended': {
    by: afterQuiesce(() => aborted),
    caughtBy: ['ready waits for its signal after quiesce, and ends with its session'],
  },
  'answers in a session that is closed': {
    by: {
      session: (inner) => ({
        exchange: (request) => inner.exchange(request).catch(answering('STOPPED', nothing)),
      }),
    },
    caughtBy: [
      'a session is STOPPED after its close',
      'closing a transport closes its sessions: they give back what they hold, and are STOPPED',
    ],
  },
  'settles in a session that is closed': {
    by: {
      session: (inner) => ({ settle: (list) => inner.settle(list).catch(answering('STOPPED', undefined)) }),
    },
    caughtBy: ['a session is STOPPED after its close'],
  },
  'extends in a session that is closed': {
    by: {
      session: (inner) => ({ extend: (list, ms) => inner.extend(list, ms).catch(answering('STOPPED', [])) }),
    },
    caughtBy: ['a session is STOPPED after its close'],
  },
  'answers in a session whose transport is closed': {
    by: {
      session(inner) {
        let closed = false
        return {
          exchange: (request) =>
            closed ? inner.exchange(request) : inner.exchange(request).catch(answering('STOPPED', nothing)),
          async close(options) {
            closed = true
            await inner.close(options)
          },
        }
      },
    },
    caughtBy: ['closing a transport closes its sessions: they give back what they hold, and are STOPPED'],
  },
  'does not close': {
    by: { transport: () => ({ close: async () => {} }) },
    caughtBy: ['close may be repeated, and then everything is STOPPED'],
  },
  'removes no queue': {
    by: { admin: () => ({ removeQueue: async () => 4 }) },
    caughtBy: ['removeQueue takes the queue with everything in it, and says how much that was'],
  },
  'removes a queue and does not tell its sessions': {
    by: {
      session: (inner) => ({
        exchange: (request) => inner.exchange(request).catch(answering('UNKNOWN_QUEUE', nothing)),
      }),
    },
    caughtBy: ['sessions of a queue that is removed learn of it, or the removal is refused'],
  },
  'removes a queue and does not wake its sessions': {
    by: {
      session: (inner) => ({
        async ready(signal) {
          await inner.ready(signal)
          if (await isRemoved(inner)) await aborted(signal)
        },
      }),
    },
    caughtBy: ['sessions of a queue that is removed learn of it, or the removal is refused'],
  },
  'calls lost what went with its queue': {
    by: {
      session: (inner) => ({
        async settle(list) {
          const results = await inner.settle(list)
          return (await isRemoved(inner)) ? list.map(() => 'lost') : results
        },
      }),
    },
    caughtBy: ['sessions of a queue that is removed learn of it, or the removal is refused'],
  },
  'refuses the removal of a queue and removes it': {
    by: {
      admin: (inner) => ({
        async removeQueue(queue) {
          await inner.removeQueue(queue)
          throw new Error('in use')
        },
      }),
    },
    caughtBy: ['sessions of a queue that is removed learn of it, or the removal is refused'],
  },
  'still knows a queue that was removed': {
    by: {
      admin(inner) {
        const known = new Set<string>()
        return {
          async deadLetters(queue, page) {
            const letters = await inner.deadLetters(queue, page).catch((error: unknown) => {
              if (known.has(queue)) return []
              throw error
            })
            known.add(queue)
            return letters
          },
        }
      },
    },
    caughtBy: ['a queue that does not exist, or no more, is UNKNOWN_QUEUE everywhere'],
  },
  'refuses no list of dead letters': neverRefused('deadLetters'),
  'refuses no dead letter': neverRefused('deadLetter'),
  'refuses no redrive': neverRefused('redrive'),
  'refuses no purge': neverRefused('purge'),
  'refuses no removal': neverRefused('removeQueue'),
  'refuses no unbind': neverRefused('unbind'),
}
