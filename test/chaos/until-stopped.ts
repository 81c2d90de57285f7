import type { App } from '../../src/index.ts'
import { couldNotStart } from './exit-codes.ts'
import type { Happening } from './history.ts'

const stopTimeout = 1_000

/** Starts the app, and writes down what it notices. SIGTERM stops it in order, and ends the process. */
export async function runUntilStopped(app: App, write: (happening: Happening) => void): Promise<void> {
  app.onNotice(({ code, message, queue, id, cause }) => {
    const why = cause === undefined ? '' : `: ${String(cause)}`
    write({
      what: 'noticed',
      code,
      message: message + why,
      ...(queue !== undefined && { queue }),
      ...(id !== undefined && { id }),
    })
  })

  let stopping = false
  process.once('SIGTERM', async () => {
    stopping = true
    write({ what: 'stopping', timeout: stopTimeout })
    await app.stop({ timeout: stopTimeout })
    write({ what: 'stopped' })
    // A handler that goes on is given up.
    process.exit(0)
  })

  try {
    await app.start()
    write({ what: 'up' })
  } catch (error) {
    if (stopping) return
    write({ what: 'noticed', code: 'NOT_STARTED', message: String(error) })
    process.exit(couldNotStart)
  }
}
