import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { constant, millrace, type Logger, type Transport } from 'millrace'
import { events } from './events.ts'
import { http } from './ingress.ts'
import { Ledger } from './ledger.ts'

export interface GithubAppOptions {
  readonly transport: Transport | string
  /** Where the queues below write what they have done, a text file each. */
  readonly folder: string
  readonly logger?: Logger
}

export type GithubApp = ReturnType<typeof githubApp>

/** The app: one `queue` for each thing that is to happen when a webhook comes in. Every queue gets its own copy. */
export function githubApp({ transport, folder, logger }: GithubAppOptions) {
  const app = millrace({ transport, events, http, ...(logger && { logger }) })
  const ledger = new Ledger(folder)
  const write = (queue: string, ...lines: readonly string[]): Promise<void> =>
    appendFile(join(folder, `${queue}.txt`), lines.map((line) => `${line}\n`).join(''))

  // Around every handler of every queue: an event whose handler has ended well is entered into the ledger.
  app.use(async (event, ctx, next) => {
    await next()
    await ledger.add({ queue: ctx.queue, id: event.id, attempt: ctx.attempt })
  })

  // Everything, many at a time: one write for each batch.
  app
    .queue('audit')
    .onBatch('*', { size: 50, wait: '50ms' }, (batch) =>
      write('audit', ...batch.map(({ id, type, key = '-' }) => `${id} ${type} ${key}`)),
    )

  // By key: what happens in one repository is handled in its order, different repositories at the same time.
  app
    .queue('triage', { order: { by: 'key' } })
    .on('github.issues', ({ data: { action, issue, repository } }) =>
      write('triage', `${repository.full_name}#${issue.number} ${action}: ${issue.title}`),
    )
    .on('github.pull_request', ({ data: { action, number, pull_request: pull, repository } }) =>
      write('triage', `${repository.full_name}#${number} ${action}: +${pull.additions} -${pull.deletions}`),
    )

  app.queue('releases').on('github.release', async ({ data: { action, release, repository } }) => {
    if (action === 'published') await write('releases', `${repository.full_name} ${release.tag_name} is out`)
  })

  // Flaky: it says no to the first attempt of every star, so each is tried again 300 ms later.
  app
    .queue('notify', { retry: { backoff: constant('300ms') } })
    .on('github.star', async ({ data: { action, repository, sender } }, { attempt }) => {
      if (attempt === 1) throw new Error('the chat is not available')
      await write('notify', `${sender.login} ${action} a star of ${repository.full_name}`)
    })
    .on('github.fork', ({ data: { forkee, repository } }) =>
      write('notify', `${repository.full_name} was forked to ${forkee.full_name}`),
    )

  // Poisoned: GitHub's types promise that a completed run has a conclusion, but one of the recorded payloads has null
  // there. This handler believes the types, fails three times, and the event becomes a dead letter.
  app
    .queue('builds', { retry: { attempts: 3, backoff: constant('100ms') } })
    .on('github.workflow_run', async ({ data }) => {
      if (data.action !== 'completed') return
      const { conclusion, run_number: number } = data.workflow_run
      await write('builds', `${data.repository.full_name} run ${number}: ${conclusion.replaceAll('_', ' ')}`)
    })

  return app
}
