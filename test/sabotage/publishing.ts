import type { Subscription, Transport } from '../../src/contract/transport.ts'
import type { Outgoing } from '../../src/event/outgoing.ts'
import type { Proof, Sabotage } from './broken-transport.ts'

const publish = (change: (inner: Transport) => Transport['publish']): Sabotage => ({
  transport: (inner) => ({ publish: change(inner) }),
})

const declare = (change: (inner: Transport) => Transport['declare']): Sabotage => ({
  transport: (inner) => ({ declare: change(inner) }),
})

const head = (change: (event: Outgoing) => Partial<Outgoing['head']>): Sabotage => ({
  outgoing: (event) => ({ ...event, head: { ...event.head, ...change(event) } }),
})

const text = (change: (data: string, event: Outgoing) => string): Sabotage => ({
  outgoing: (event) => ({
    ...event,
    data: typeof event.data === 'string' ? change(event.data, event) : event.data,
  }),
})

/** Wrong ways to take events, to route them and to carry them. */
export const publishing: Readonly<Record<string, Proof>> = {
  'publishes every event twice': {
    by: publish((inner) => (events, options) => inner.publish([...events, ...events], options)),
    caughtBy: [
      'what is published is received, acknowledged and gone',
      'every queue gets one copy',
      'sessions of one queue share its events, each event once',
      'six declares at once make one queue',
    ],
  },
  'says that it recognises ids, and does not': {
    by: { features: { dedupe: 'waiting' } },
    caughtBy: [
      'one id published twice within features.dedupe is one event',
      'one id published again is recognised in each queue that still has it, in whatever state, and in no other',
    ],
  },
  'recognises ids for ever': {
    by: {
      features: { dedupe: 'waiting' },
      ...publish((inner) => {
        const known = new Set<string>()
        const isNew = ({ id }: Outgoing): boolean => !known.has(id) && known.add(id) !== undefined
        return (events, options) => inner.publish(events.filter(isNew), options)
      }),
    },
    caughtBy: [
      'one id published again is recognised in each queue that still has it, in whatever state, and in no other',
    ],
  },
  'loses the last of many events': {
    by: publish(
      (inner) => (events, options) =>
        inner.publish(events.length > 9 ? events.slice(0, -1) : events, options),
    ),
    caughtBy: [
      'every queue gets one copy',
      'sessions of one queue share its events, each event once',
      'an array of 1,000 arrives complete, and in its order where one session takes it',
    ],
  },
  'loses what is published while something is published': {
    by: publish((inner) => {
      let busy = false
      return async (events, options) => {
        if (busy) return
        busy = true
        await inner.publish(events, options)
        busy = false
      }
    }),
    caughtBy: ['1,000 publishes at once all arrive'],
  },
  'turns arrays around': {
    by: publish((inner) => (events, options) => inner.publish(events.toReversed(), options)),
    caughtBy: [
      'an array of 1,000 arrives complete, and in its order where one session takes it',
      'events of a key come in their order, and to one session at a time',
    ],
  },
  'says that events have their places before they do': {
    by: publish((inner) => {
      let calls = 0
      return async (events, options) => {
        options?.placed?.()
        // Every other call is overtaken by the next.
        if (calls++ % 2 === 0) await new Promise((resolve) => setImmediate(resolve))
        await inner.publish(events)
      }
    }),
    caughtBy: ['what is published once others have their places comes behind them'],
  },
  'cannot publish nothing': {
    by: publish((inner) => async (events, options) => {
      if (events.length === 0) throw new RangeError('no events')
      await inner.publish(events, options)
    }),
    caughtBy: ['publishing nothing does nothing'],
  },
  'ignores the options of publish': {
    by: publish((inner) => (events) => inner.publish(events)),
    caughtBy: [
      'a transaction where there are none is refused, and nothing is published',
      'a publish that is aborted beforehand takes nothing and says so',
    ],
  },
  'takes what it refuses': {
    by: publish((inner) => async (events, options) => {
      await inner.publish(events.map((event) => ({ ...event, size: 0 })))
      await inner.publish(events, options)
    }),
    caughtBy: [
      'a publish that fails says which events were taken, and none behind a failed one of its key is',
      'a transaction where there are none is refused, and nothing is published',
    ],
  },
  'recognises ids and does not say so': {
    by: publish((inner) => {
      const seen = new Set<string>()
      return (events, options) =>
        inner.publish(
          events.filter(({ id }) => seen.size < seen.add(id).size),
          options,
        )
    }),
    caughtBy: [
      'one id published twice is two events, unless the system recognises it',
      'a dead letter is named by its event, a second one of the same event by something of its own',
    ],
  },
  'gives only the first queue a copy': {
    by: declare((inner) => {
      let first: string | undefined
      return (specs) =>
        inner.declare(
          specs.map((spec) => ((first ??= spec.name) === spec.name ? spec : { ...spec, subscriptions: [] })),
        )
    }),
    caughtBy: [
      'every queue gets one copy',
      'a late queue gets what is published after its declare',
      'from the beginning: new queues get the unrouted events that are still there, each queue one copy',
      'each queue gets its copy of a delayed event',
    ],
  },
  'gives a copy for each subscription': {
    by: {
      transport(inner) {
        const widths: number[] = []
        return {
          declare(specs) {
            widths.push(...specs.map(({ subscriptions }) => subscriptions.length))
            return inner.declare(specs)
          },
          async publish(events, options) {
            for (let i = 0; i < Math.max(...widths); i++) await inner.publish(events, options)
          },
        }
      },
    },
    caughtBy: ['a queue with several subscriptions that match gets one copy'],
  },
  'ignores patterns': {
    by: declare(
      (inner) => (specs) =>
        inner.declare(specs.map((spec) => ({ ...spec, subscriptions: [{ topic: '*', pattern: '*' }] }))),
    ),
    caughtBy: [
      'patterns: a type, a prefix and everything, of one topic or of all',
      'from now on: unrouted events stay where they are until they are redriven',
    ],
  },
  'replaces subscriptions': {
    by: declare((inner) => {
      const former = new Map<string, readonly Subscription[]>()
      return async (specs) => {
        for (const { name, subscriptions } of specs) {
          await inner.admin.unbind(name, former.get(name) ?? []).catch(() => undefined)
          former.set(name, subscriptions)
        }
        return await inner.declare(specs)
      }
    }),
    caughtBy: [
      'patterns: a type, a prefix and everything, of one topic or of all',
      'declare adds subscriptions and takes none away, and says what it left',
    ],
  },
  'makes a queue anew on each declare': {
    by: declare((inner) => async (specs) => {
      for (const { name } of specs) await inner.admin.removeQueue(name).catch(() => 0)
      return await inner.declare(specs)
    }),
    caughtBy: [
      'declare says what is new, and may be repeated',
      'declare takes nothing from a queue that has events',
    ],
  },
  'declares one queue at a time, and no other one meanwhile': {
    by: declare((inner) => {
      let busy = false
      return async (specs) => {
        if (busy) throw new Error('busy')
        busy = true
        const report = await inner.declare(specs)
        busy = false
        return report
      }
    }),
    caughtBy: ['six declares at once make one queue'],
  },
  'gives every new queue the unrouted events': {
    by: declare((inner) => (specs) => inner.declare(specs.map((spec) => ({ ...spec, from: 'beginning' })))),
    caughtBy: ['from now on: unrouted events stay where they are until they are redriven'],
  },
  'gives no new queue the unrouted events': {
    by: declare((inner) => (specs) => inner.declare(specs.map((spec) => ({ ...spec, from: 'now' })))),
    caughtBy: [
      'from the beginning: new queues get the unrouted events that are still there, each queue one copy',
    ],
  },
  'gives new queues what others had': {
    by: {
      transport(inner) {
        const published: Outgoing[] = []
        let declared = false
        return {
          async declare(specs) {
            declared = true
            const report = await inner.declare(specs)
            const eager = specs.some(
              ({ name, from }) => from === 'beginning' && report.created.includes(name),
            )
            if (eager) await inner.publish(published)
            return report
          },
          async publish(events, options) {
            if (declared) published.push(...events)
            await inner.publish(events, options)
          },
        }
      },
    },
    caughtBy: ['from the beginning: events that another queue had come out of a log only'],
  },
  'does not tell that a queue has another order': {
    by: declare((inner) => async (specs) => {
      const { created, kept } = await inner.declare(specs)
      return { created, kept: kept.filter((words) => !words.includes('order')) }
    }),
    caughtBy: ['a queue keeps the order that it was made with: another wish is told, and not opened'],
  },
  'opens a queue with any order': {
    by: {
      transport(inner) {
        const orders = new Map<string, boolean>()
        return {
          declare(specs) {
            for (const { name, order } of specs) if (!orders.has(name)) orders.set(name, order)
            return inner.declare(specs)
          },
          open: (name, options) => inner.open(name, { ...options, order: orders.get(name) ?? options.order }),
        }
      },
    },
    caughtBy: ['a queue keeps the order that it was made with: another wish is told, and not opened'],
  },
  'makes queues when they are opened': {
    by: {
      transport: (inner) => ({
        async open(name, options) {
          await inner.declare([{ name, subscriptions: [], from: 'now', order: options.order }])
          return await inner.open(name, options)
        },
      }),
    },
    caughtBy: [
      'a queue that was never declared cannot be opened',
      'removeQueue takes the queue with everything in it, and says how much that was',
    ],
  },
  'loses extensions': {
    by: head(() => ({ extensions: undefined })),
    caughtBy: [
      'all attributes arrive as they were sent',
      'unicode in data and attributes',
      'a dead letter keeps the event and its record, and leaves the queue',
    ],
  },
  'makes extensions text': {
    by: head(({ head: { extensions } }) => ({
      extensions: Object.fromEntries(
        Object.entries(extensions ?? {}).map(([name, value]) => [name, `${value}`]),
      ),
    })),
    caughtBy: ['all attributes arrive as they were sent'],
  },
  'keeps seconds only': {
    by: head(({ head: { time, deliverAt = 0 } }) => ({
      time: time - (time % 1_000),
      deliverAt: deliverAt - (deliverAt % 1_000),
    })),
    caughtBy: [
      'all attributes arrive as they were sent',
      'a deliverAt that is past arrives with its milliseconds',
    ],
  },
  'adds a content type': {
    by: head(({ head: { contentType = 'application/json' } }) => ({ contentType })),
    caughtBy: ['an event with nothing but a type arrives without attributes that nobody gave it'],
  },
  'cuts long attributes': {
    by: head(({ head: { subject } }) => ({ subject: subject?.slice(0, 255) })),
    caughtBy: ['attributes as long as they may be'],
  },
  'replaces what is not ASCII': {
    // oxlint-disable-next-line no-control-regex
    by: text((data) => data.replaceAll(/[^\u0000-\u007f]/g, '?')),
    caughtBy: [
      'unicode in data and attributes',
      'lone surrogates: escaped ones in JSON stay, bare ones in text become U+FFFD at worst',
    ],
  },
  'ends text at NUL': { by: text((data) => data.split('\u0000')[0] ?? ''), caughtBy: ['NUL in text data'] },
  'parses and prints JSON': {
    by: text((data, { head: { contentType } }) =>
      data === '' || contentType !== undefined ? data : JSON.stringify(JSON.parse(data)),
    ),
    caughtBy: ['JSON arrives byte for byte: big integers, key order, spaces, escapes, repeated keys'],
  },
  'unescapes surrogates': {
    by: text((data) => data.replace('\\ud83d', '\ufffd')),
    caughtBy: ['lone surrogates: escaped ones in JSON stay, bare ones in text become U+FFFD at worst'],
  },
  'takes bytes for text': {
    by: {
      outgoing: (event) => ({
        ...event,
        data: typeof event.data === 'string' ? event.data : new TextDecoder().decode(event.data),
      }),
    },
    caughtBy: ['binary data: every byte, and none at all'],
  },
  'takes empty data for null': {
    by: { outgoing: (event) => ({ ...event, data: event.data.length === 0 ? 'null' : event.data }) },
    caughtBy: [
      'no data, and the data null, false, zero and empty text',
      'an event with nothing but a type arrives without attributes that nobody gave it',
    ],
  },
  'cuts data at 64 KiB': {
    by: { outgoing: (event) => ({ ...event, data: event.data.slice(0, 65_536) }) },
    caughtBy: ['a payload of 1 MiB, or of maxBytes, survives death and redrive'],
  },
  "hands out the publisher's bytes": {
    by: { received: (one, { published }) => ({ data: published.get(one.id)?.data ?? one.data }) },
    caughtBy: ['no object of the publisher reaches a consumer, and none of a consumer the next'],
  },
}
