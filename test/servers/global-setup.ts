// Starts nothing: it only answers the first test file that asks for a server, and stops the servers in the end.
import { answerRun } from './per-run.ts'
import { startShared, stopShared, type ServerName } from './servers.ts'

let stopAnswering: (() => Promise<void>) | undefined

export async function setup(): Promise<void> {
  stopAnswering = await answerRun((name) => startShared(name as ServerName))
}

export async function teardown(): Promise<void> {
  await stopShared()
  await stopAnswering?.()
}
