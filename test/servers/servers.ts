import { kafka } from './kafka.ts'
import { kafkaSecured } from './kafka-secured.ts'
import { askRun, isPartOfRun } from './per-run.ts'
import { postgresPooled } from './postgres-pooled.ts'
import { postgres } from './postgres.ts'
import {
  createProxiedServer,
  createServer,
  ServerMissing,
  type ProxiedServer,
  type Server,
} from './server.ts'

const kinds = {
  kafka,
  'kafka-secured': kafkaSecured,
  postgres,
  'postgres-pooled': postgresPooled(sharedPostgres),
}

export type ServerName = keyof typeof kinds

export type Found = { readonly url: string } | { readonly missing: string }

/**
 * A running server, shared by the whole test run: the one that MILLRACE_TEST_<NAME>_URL names, else one that is
 * installed and started here for the first who asks, and gone when the run ends. `missing` says why there is none.
 * Whoever shares it keeps to names of its own.
 */
export async function serverFor(name: ServerName): Promise<Found> {
  const given = process.env[`MILLRACE_TEST_${name.toUpperCase()}_URL`]
  if (given) return { url: given }
  return isPartOfRun() ? ((await askRun(name)) as Found) : startShared(name)
}

/** A server that nobody else uses, not yet started; for tests that stop and crash it. Never a given one. */
export async function privateServer(name: ServerName): Promise<Server> {
  return createServer(kinds[name])
}

/** The same behind a proxy that cuts and stalls its connections. */
export async function proxiedServer(name: ServerName): Promise<ProxiedServer> {
  return createProxiedServer(kinds[name])
}

/** Why there can be no private server; undefined if there can. Installs what is not installed. */
export async function whyMissing(name: ServerName): Promise<string | undefined> {
  try {
    await kinds[name].install()
    return undefined
  } catch (error) {
    if (error instanceof ServerMissing) return error.message
    throw error
  }
}

async function sharedPostgres(): Promise<string> {
  const found: Found = await serverFor('postgres')
  if ('missing' in found) throw new ServerMissing(found.missing)
  return found.url
}

const shared = new Map<string, Promise<Found>>()
const started = new Set<Server>()

/** The server that this process shares with others, started when it is first asked for. */
export function startShared(name: ServerName): Promise<Found> {
  const starting = shared.get(name) ?? start(name)
  shared.set(name, starting)
  return starting
}

async function start(name: ServerName): Promise<Found> {
  const missing = await whyMissing(name)
  if (missing !== undefined) return { missing }
  const server = await createServer(kinds[name])
  started.add(server)
  await server.start()
  return { url: server.url }
}

/** Stops what startShared has started, ready or not. */
export async function stopShared(): Promise<void> {
  shared.clear()
  await Promise.all([...started].map((server) => server[Symbol.asyncDispose]()))
  started.clear()
}
