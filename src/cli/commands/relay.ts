import { relayAlone } from '../../app-tools.ts'
import { readable } from '../../clock/duration.ts'
import { appOf, type AppChoice } from '../app-of.ts'
import { drainTime, drained } from '../drained.ts'
import { endSignals } from '../end-signals.ts'
import { exitCodes, UsageError, type ExitCode } from '../exit-codes.ts'
import { say } from '../report.ts'

/** `millrace relay`: until SIGINT or SIGTERM, then until what is on its way has arrived. */
export async function relay(choice: AppChoice): Promise<ExitCode> {
  if (choice.module === undefined)
    throw new UsageError('Nothing to relay: name the module that exports the app')
  const app = await appOf(choice)
  const start = app[relayAlone]
  if (start === undefined) throw new UsageError(`Nothing to relay: the app of ${choice.module} has no outbox`)
  const signal = endSignals()
  // A relay that waits for the next commit keeps no process alive: mostly the app does.
  const alive = setInterval(() => undefined, 2 ** 30)
  let clean: boolean
  try {
    await start()
    say(`millrace: relaying the outbox to ${app.transport.system}`)
    say(`millrace: ${await signal}, finishing (at most ${readable(drainTime)}; once more to end at once)`)
  } finally {
    clean = await drained(app)
    clearInterval(alive)
  }
  say(clean ? 'millrace: stopped' : 'millrace: stopped before everything was finished')
  return clean ? exitCodes.ok : exitCodes.failure
}
