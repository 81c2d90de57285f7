import { createInterface } from 'node:readline'
import { createEvent } from '../src/event/event.ts'
import { encodeEvent } from '../src/event/outgoing.ts'
import { sqlite } from '../src/adapters/sqlite/index.ts'
import { isMillraceError } from '../src/errors/millrace-error.ts'

/**
 * Another process on a sqlite file: `sqlite-worker.ts ROLE PATH [ARGUMENT [USER]]`. Says what it has done, a line each.
 * It becomes that user by itself, once it is loaded: Node and this file may lie where only root may look.
 */
const [role = '', path = '', argument = '', user] = process.argv.slice(2)
if (user !== undefined) {
  process.setgid?.(Number(user))
  process.setuid?.(Number(user))
}
const durability = role === 'publish-process' ? 'process' : 'fsync'
const transport = sqlite({ path, durability })
const queue = {
  name: 'orders',
  subscriptions: [{ topic: 'order', pattern: '*' }],
  from: 'now',
  order: false,
} as const
const order = () => encodeEvent(createEvent('order.placed', { sentAt: Date.now() }))
const say = (line: string): unknown => process.stdout.write(`${line}\n`)

async function publishOne(): Promise<void> {
  const event = order()
  await transport.publish([event])
  say(event.id)
}

const roles: Readonly<Record<string, () => Promise<void>>> = {
  /** Publishes until it is killed; says each id once it is taken. */
  async publish() {
    for (;;) await Promise.all([publishOne(), publishOne(), publishOne()])
  },
  async 'publish-fsync'() {
    for (let i = 0; i < Number(argument); i++) await publishOne()
  },
  async 'publish-process'() {
    for (let i = 0; i < Number(argument); i++) await publishOne()
  },
  /** Publishes one event for each line it reads. */
  async 'publish-on-demand'() {
    await transport.declare([queue])
    say('ready')
    for await (const _ of createInterface({ input: process.stdin })) await publishOne()
  },
  async declare() {
    await transport.declare([queue])
    await publishOne()
  },
}

try {
  await roles[role]!()
  await transport.close()
} catch (error) {
  if (!isMillraceError(error)) throw error
  say(error.code)
}
