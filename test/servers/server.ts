import { fork, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePorts } from './ports.ts'
import { tcpProxy, type TcpProxy } from './tcp-proxy.ts'

/** This machine cannot have the server; the message says why. */
export class ServerMissing extends Error {
  override readonly name = 'ServerMissing'
}

/** How one kind of server is installed and run on loopback. */
export interface ServerKind {
  readonly name: string
  /** How many ports it listens on. */
  readonly ports: number
  /** What makes it end in order, clients or not, if that is not SIGTERM. */
  readonly orderly?: NodeJS.Signals
  /** What ends it for good without a trace on the machine, if that is not SIGKILL. */
  readonly discard?: NodeJS.Signals
  /** Installs what is not installed yet and returns the folder that holds it. Throws ServerMissing. */
  install(): Promise<string>
  /** The command that serves `data`, a folder that is empty at the first start and kept between starts. */
  command(place: Place): Promise<readonly [string, ...string[]]>
  url(ports: readonly number[]): string
  /** Resolves if the server does its work; rejects if it does not yet. */
  ready(ports: readonly number[]): Promise<void>
}

export interface Place {
  readonly installed: string
  readonly data: string
  readonly ports: readonly number[]
  /** Where clients find it, which a server that tells them its address has to know: the first of the ports, or a proxy. */
  readonly clientPort: number
}

/** A server that is started and stopped at will: always the same port, always the same data. */
export interface Server extends AsyncDisposable {
  readonly url: string
  /** What the server printed. Kept when everything else is removed. */
  readonly log: string
  /** Resolves when the server does its work. Throws ServerMissing. */
  start(): Promise<void>
  /**
   * Resolves when all its processes are gone. SIGTERM, the default, lets it finish; SIGKILL is a crash; SIGQUIT is what
   * PostgreSQL calls an immediate stop, which is a crash that clients are told of.
   */
  stop(signal?: 'SIGTERM' | 'SIGQUIT' | 'SIGKILL'): Promise<void>
}

const startTimeout = 100_000
const stopTimeout = 30_000
const ownedProcess = fileURLToPath(new URL('owned-process.ts', import.meta.url))

/** A server that clients reach through a proxy. Nobody else stands behind it, so it has to forward when the server starts. */
export interface ProxiedServer extends Server {
  readonly proxy: TcpProxy
}

/** A server that does not run yet. Disposing kills it and removes its data. */
export async function createServer(kind: ServerKind): Promise<Server> {
  const ports = await freePorts(kind.ports)
  return serverAt(kind, ports, ports[0] as number)
}

/** The same behind a proxy, which lives as long as it. */
export async function createProxiedServer(kind: ServerKind): Promise<ProxiedServer> {
  const ports = await freePorts(kind.ports)
  const proxy = await tcpProxy(ports[0] as number)
  const server = serverAt(kind, ports, proxy.port)
  return {
    ...server,
    proxy,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await proxy.close()
    },
  }
}

function serverAt(kind: ServerKind, ports: readonly number[], clientPort: number): Server {
  const data = join(tmpdir(), `millrace-${kind.name}-${randomUUID()}`)
  const log = `${data}.log`
  const discard = kind.discard ?? 'SIGKILL'
  let running: ChildProcess | undefined

  async function start(): Promise<void> {
    if (running && !hasEnded(running)) throw new Error(`${kind.name} is running already`)
    const installed = await kind.install()
    await mkdir(data, { recursive: true, mode: 0o700 })
    running = spawnOwned(data, discard, await kind.command({ installed, data, ports, clientPort }), log)
    try {
      await untilReady(running, () => kind.ready(ports))
    } catch (error) {
      await end(discard)
      const printed = (await readFile(log, 'utf8')).trimEnd().split('\n').slice(-30).join('\n')
      throw new Error(`${kind.name} did not start, see ${log}\n${printed}`, { cause: error })
    }
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const owned = running
    running = undefined
    if (!owned || hasEnded(owned)) return
    const gone = once(owned, 'exit')
    send(owned, signal)
    const tooSlow = setTimeout(() => send(owned, 'SIGKILL'), stopTimeout)
    await gone
    clearTimeout(tooSlow)
  }

  return {
    url: kind.url([clientPort, ...ports.slice(1)]),
    log,
    start,
    stop: (signal = 'SIGTERM') => end(signal === 'SIGTERM' ? (kind.orderly ?? signal) : signal),
    async [Symbol.asyncDispose]() {
      await end(discard)
      await rm(data, { recursive: true, force: true })
    },
  }
}

function spawnOwned(data: string, discard: string, command: readonly string[], log: string): ChildProcess {
  const output = openSync(log, 'a')
  const owned = fork(ownedProcess, [data, discard, ...command], {
    // A group of its own, so that Ctrl-C in the terminal leaves the order of stopping to the tests.
    detached: true,
    execArgv: [],
    stdio: ['ignore', output, output, 'ipc'],
  })
  closeSync(output)
  // A program that starts a server and ends without stopping it has to be able to end.
  owned.unref()
  owned.channel?.unref()
  return owned
}

function send(owned: ChildProcess, signal: NodeJS.Signals): void {
  // It cannot be sent to a server that is ending just now. The exit, which is awaited, says so too.
  owned.send(signal, () => {})
}

async function untilReady(owned: ChildProcess, ready: () => Promise<void>): Promise<void> {
  const deadline = Date.now() + startTimeout
  for (;;) {
    if (hasEnded(owned)) throw new Error(`It ended with exit code ${owned.exitCode}.`)
    try {
      return await ready()
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
    await sleep(50)
  }
}

function hasEnded(owned: ChildProcess): boolean {
  return owned.exitCode !== null || owned.signalCode !== null
}
