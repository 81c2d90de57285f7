import { relayRow } from '../relay.ts'
import { Server } from './schema.ts'

export const postgresRelay = relayRow('postgres', async () => {
  const server = await Server.connect()
  return {
    settings: await server.settings(),
    async outboxFor(use) {
      await using schema = await server.makeSchema()
      await using outbox = server.transport(schema.name)
      return await use(outbox)
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
})
