import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { inspect } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { kafkaFromUrl } from '../../src/adapters/kafka/index.ts'
import { certificateOfKafka } from '../servers/kafka-secured.ts'
import { describeWithPrivateServer } from '../servers/describe-with-server.ts'
import { dataOf, event, newName, open, receive, spec } from './sessions.ts'

await describeWithPrivateServer('kafka-secured', (server) => {
  const usual = getCACertificates()
  beforeAll(async () => setDefaultCACertificates([...usual, await certificateOfKafka()]))
  afterAll(() => setDefaultCACertificates(usual))

  test.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])(
    'events go through TLS to whoever has logged in with %s',
    { timeout: 30_000 },
    async (mechanism) => {
      const [queue, topic] = [newName('queue'), newName('topic')]
      await using transport = kafkaFromUrl(`${server.url}?partitions=1&mechanism=${mechanism}`)
      await transport.declare([spec(queue, topic)])
      await transport.publish([event(topic, mechanism)])
      const session = await open(transport, queue)
      const [received] = await receive(session, 1)
      expect(dataOf(received!)).toBe(mechanism)
      await session.settle([{ of: received!, as: 'ack' }])
      await session.close()
    },
  )

  test.each(['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'])(
    'a wrong password is said soon, and not shown: %s',
    { timeout: 30_000 },
    async (mechanism) => {
      const url = server.url.replace(/:[^:@]*@/, ':hush-hush@')
      await using transport = kafkaFromUrl(`${url}?mechanism=${mechanism}`)
      const began = performance.now()
      // Nor in what lies under it, which a logger may print.
      const error: unknown = await transport.declare([]).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'LOGIN_REFUSED' })
      expect(inspect(error)).not.toContain('hush')
      expect(performance.now() - began).toBeLessThan(5_000)
    },
  )

  test('who does not trust its certificate is told so', { timeout: 30_000 }, async () => {
    setDefaultCACertificates(usual)
    await using transport = kafkaFromUrl(server.url)
    await expect(transport.declare([])).rejects.toMatchObject({
      code: 'TRANSPORT_UNREACHABLE',
      message: expect.stringContaining('certificate'),
    })
  })
})
