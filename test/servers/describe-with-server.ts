import { afterAll, beforeAll, describe, test } from 'vitest'
import type { Server } from './server.ts'
import { privateServer, serverFor, whyMissing, type ServerName } from './servers.ts'

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
  const missing = await whyMissing(name)
  const server = await privateServer(name)
  const defineTests = (): void => {
    beforeAll(() => server.start(), 90_000)
    afterAll(() => server[Symbol.asyncDispose]())
    define(server)
  }
  if (missing === undefined) describe(`private ${name}`, defineTests)
  else describeMissing(`private ${name}`, missing, defineTests)
}

function describeMissing(name: string, reason: string, define: () => void): void {
  if (process.env['MILLRACE_REQUIRE_ALL'] !== '1') describe.skip(`${name} (skipped: ${reason})`, define)
  else
    test(`${name} is there`, () => {
      throw new Error(reason)
    })
}
