import { serve } from '../../adapters/http/index.ts'
import { verifiesSenders } from '../../app-tools.ts'
import { readable } from '../../clock/duration.ts'
import { appOf, type AppChoice, type LoadedApp } from '../app-of.ts'
import { drained, drainTime } from '../drained.ts'
import { endSignals } from '../end-signals.ts'
import { exitCodes, UsageError, type ExitCode } from '../exit-codes.ts'
import { say } from '../report.ts'

export interface RunFlags {
  readonly port?: number
  readonly host?: string
}

/** `millrace run`: until SIGINT or SIGTERM, then until the handlers have finished. */
export async function run(choice: AppChoice, { port, host }: RunFlags): Promise<ExitCode> {
  if (choice.module === undefined)
    throw new UsageError('Nothing to run: name the module that exports the app')
  if (host !== undefined && port === undefined) throw new UsageError('--host needs --port')
  const app = await appOf(choice)
  if (app.receiver.queueNames().length === 0 && port === undefined) {
    throw new UsageError(`Nothing to run: the app of ${choice.module} has no queues, and no --port was given`)
  }
  const signal = endSignals()
  let clean: boolean
  try {
    await app.start()
    const server = port === undefined ? undefined : await listen(app, port, host)
    say(`millrace: ${[consumed(app), server?.url].filter(Boolean).join('; ')}`)
    say(`millrace: ${await signal}, finishing (at most ${readable(drainTime)}; once more to end at once)`)
    await server?.close()
  } finally {
    clean = await drained(app)
  }
  say(clean ? 'millrace: stopped' : 'millrace: stopped before everything was finished')
  return clean ? exitCodes.ok : exitCodes.failure
}

async function listen(
  app: LoadedApp,
  port: number,
  host: string | undefined,
): Promise<{ url: string; close(): Promise<void> }> {
  const address = host ?? (app[verifiesSenders] ? '0.0.0.0' : '127.0.0.1')
  const server = await serve(app, { port, host: address })
  const name = address.includes(':') ? `[${address}]` : address
  return { url: `listening on http://${name}:${server.port}`, close: () => server.close() }
}

function consumed({ receiver, transport }: LoadedApp): string | undefined {
  const queues = receiver.queueNames().map((name) => {
    const patterns = receiver.types(name).join(', ')
    return patterns === '' ? name : `${name} (${patterns})`
  })
  return queues.length === 0 ? undefined : `consuming ${queues.join(', ')} from ${transport.system}`
}
