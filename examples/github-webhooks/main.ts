// npm start             serves, sends itself the recorded webhooks, says what became of them, serves on until Ctrl-C
// npm start -- --once   ends after the summary: exit code 0 if every webhook is accounted for, else 1
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { isMillraceError } from 'millrace'
import { serve, type HttpServer } from 'millrace/http'
import { settledAccounts } from './evidence.ts'
import { recordedWebhooks, send } from './feed.ts'
import { keptPlace, temporaryPlace } from './place.ts'
import { progress } from './progress.ts'
import { githubApp, type GithubApp } from './queues.ts'
import { summaryOf } from './summary.ts'

const stopping = new AbortController()
const { signal } = stopping
// However many come: npm passes on a Ctrl-C that has reached this process already.
for (const name of ['SIGINT', 'SIGTERM'] as const) process.on(name, () => stopping.abort())

async function run(): Promise<void> {
  const { values: flags } = parseArgs({ options: { once: { type: 'boolean', default: false } } })
  const isKept = !flags.once || Boolean(process.env.MILLRACE_URL)
  const { transport, folder } = isKept ? keptPlace() : temporaryPlace()
  const webhooks = recordedWebhooks()
  const { begin, step, end, logger } = progress(webhooks.length)
  const app = githubApp({ transport, folder, logger })
  let server: HttpServer | undefined
  try {
    await app.start()
    server = await serveFrom(flags.once ? 0 : Number(process.env.PORT || 3000), app)
    const url = `http://127.0.0.1:${server.port}`
    console.log(`serving on ${url}`)

    begin()
    const sent = await send(webhooks, { url, signal, logger, onSent: step })
    end()
    const accounts = await settledAccounts(app, folder, sent, signal)
    const isComplete = accounts.handled + accounts.dead === webhooks.length
    if (flags.once && !isComplete) process.exitCode = 1
    if (signal.aborted && !isComplete) return console.log('stopped before everything was sent and handled')
    console.log(summaryOf(accounts, { isKept, onTerminal: process.stdout.isTTY }))

    if (!flags.once && !signal.aborted) {
      console.log(`\nserving on ${url} until Ctrl-C`)
      await once(signal, 'abort')
    }
  } finally {
    await server?.close()
    await app.stop()
    if (!isKept) await rm(folder, { recursive: true })
  }
}

/** Serves on the port, or on the next one that is free. */
async function serveFrom(port: number, app: GithubApp): Promise<HttpServer> {
  try {
    return await serve(app, { port })
  } catch (error) {
    if (!isMillraceError(error, 'PORT_TAKEN') || port === 65_535) throw error
    return serveFrom(port + 1, app)
  }
}

try {
  await run()
} catch (error) {
  // What has a code is wrong around this program; anything else is wrong in it.
  if (!(error instanceof Error && 'code' in error)) throw error
  console.error(`${error.message} [${error.code}]`)
  if (isMillraceError(error)) console.error(error.remedy)
  process.exitCode = 1
}
