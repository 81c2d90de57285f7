import { afterAll, beforeAll, describe, test } from 'vitest'
import { kafkaCluster, type KafkaCluster } from './kafka-cluster.ts'
import type { ProxiedServer, Server } from './server.ts'
import { privateServer, proxiedServer, serverFor, whyMissing, type ServerName } from './servers.ts'

/**
 * Tests against the server that the whole run shares. Await it at the top of a test file. Without the server, its tests
 * are skipped, each by its name and with the reason; with MILLRACE_REQUIRE_ALL=1 that is a failure.
 */
export async function describeWithServer(name: ServerName, define: (url: string) => void): Promise<void> {
  const server = await serverFor(name)
  if ('url' in server) describe(name, () => define(server.url))
  else describeMissing(name, server.missing, () => define(`${name}://missing`))
}

/** The same with a server of this file's own, running when the tests begin. A test that stops it starts it again. */
export async function describeWithPrivateServer(
  name: ServerName,
  define: (server: Server) => void,
): Promise<void> {
  await describeWith(`private ${name}`, await whyMissing(name), await privateServer(name), define)
}

/** The same behind a proxy. A test that cuts or stalls its connections resumes them. */
export async function describeWithProxiedServer(
  name: ServerName,
  define: (server: ProxiedServer) => void,
): Promise<void> {
  await describeWith(`proxied ${name}`, await whyMissing(name), await proxiedServer(name), define)
}

/** A cluster of three Kafkas of this file's own. A test that stops one of them starts it again. */
export async function describeWithKafkaCluster(define: (cluster: KafkaCluster) => void): Promise<void> {
  await describeWith('cluster of kafka', await whyMissing('kafka'), await kafkaCluster(), define)
}

async function describeWith<S extends AsyncDisposable & { start(): Promise<void> }>(
  title: string,
  missing: string | undefined,
  server: S,
  define: (server: S) => void,
): Promise<void> {
  const defineTests = (): void => {
    beforeAll(() => server.start(), 120_000)
    afterAll(() => server[Symbol.asyncDispose]())
    define(server)
  }
  if (missing === undefined) return void describe(title, defineTests)
  // Never started, but a proxy listens.
  await server[Symbol.asyncDispose]()
  describeMissing(title, missing, defineTests)
}

/** Tests that need something else than a server; `missing` says why it cannot be had. */
export function describeUnless(missing: string | undefined, name: string, define: () => void): void {
  if (missing === undefined) describe(name, define)
  else describeMissing(name, missing, define)
}

function describeMissing(name: string, reason: string, define: () => void): void {
  if (process.env['MILLRACE_REQUIRE_ALL'] !== '1') describe.skip(`${name} (skipped: ${reason})`, define)
  else
    test(`${name} is there`, () => {
      throw new Error(reason)
    })
}
