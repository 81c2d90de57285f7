import { setTimeout as sleep } from 'node:timers/promises'
import { account, type Accounts, type Evidence, type Letter } from './accounts.ts'
import type { Sent } from './feed.ts'
import { Ledger } from './ledger.ts'
import type { GithubApp } from './queues.ts'

/**
 * For how long nothing may change before whatever is missing counts as unaccounted for, in milliseconds. Longer than a lease
 * (30 s): an event that a killed process held comes back only then, and holds back its key until then.
 */
const patience = 60_000
/** The same if all that is sent is accounted for, and only other events are not settled. */
const patienceForOthers = 2_000
const silence = 3_000
const pause = 100

/** The accounts of what was sent, once every queue has settled it: handling and retries take a moment. */
export async function settledAccounts(
  app: GithubApp,
  folder: string,
  sent: readonly Sent[],
  signal: AbortSignal,
): Promise<Accounts> {
  const ledger = new Ledger(folder)
  let changed = performance.now()
  let isSilent = true
  for (let before = -1; ; await sleep(pause)) {
    const accounts = account(await evidenceOf(app, ledger, sent))
    const open = openIn(accounts)
    if (open !== before) changed = performance.now()
    const unchanged = performance.now() - changed
    if (open === 0 || signal.aborted) return accounts
    if (unchanged > (accounts.unaccounted > 0 ? patience : patienceForOthers)) return accounts
    if (isSilent && unchanged > silence) {
      isSilent = false
      console.log(
        `waiting for ${accounts.unaccounted} more; what a killed process held comes back after 30 s`,
      )
    }
    before = open
  }
}

/** What is still to come: deliveries that are missing, and events that the queues have not settled. */
function openIn({ queues }: Accounts): number {
  const open = queues.map(({ outcomes, waiting }) => {
    const missing = [...outcomes.values()].filter((outcome) => outcome === 'missing')
    return missing.length + waiting
  })
  return open.reduce((sum, count) => sum + count, 0)
}

/** What the ledger and the transport know. Counters prove nothing here: everything is found again by its id. */
async function evidenceOf(app: GithubApp, ledger: Ledger, sent: readonly Sent[]): Promise<Evidence> {
  const names = app.receiver.queueNames()
  const queues = new Map(names.map((queue) => [queue, app.receiver.types(queue)]))
  const stats = await app.queues()
  const waiting = new Map(stats.map((of) => [of.name, of.depth + of.inFlight + of.retrying + of.delayed]))
  const dead: Letter[] = []
  for (const queue of names) {
    for await (const { id: name, event, attempts, error } of app.deadLetters(queue).list()) {
      dead.push({ queue, name, id: event?.id, type: event?.type, attempts, message: error.message })
    }
  }
  return { sent, queues, waiting, dead, handled: await ledger.read() }
}
