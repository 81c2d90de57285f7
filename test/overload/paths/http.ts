import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { serve } from '../../../src/adapters/http/index.ts'
import type { Overload, Path } from '../path.ts'
import { pathOn } from './path-on.ts'
import type { Said, SendersTask } from '../senders-process.ts'

const program = fileURLToPath(new URL('../senders-process.ts', import.meta.url))

/** Serves the app to senders in a process of their own, whose memory is none of this one's. */
function sentBy(senders: Omit<SendersTask, 'port'>): (overload: Overload) => Promise<void> {
  return async ({ app, ledger, over }) => {
    const server = await serve(app, { port: 0 })
    const task: SendersTask = { ...senders, port: server.port }
    const child = fork(program, [JSON.stringify(task)], { execArgv: [] })
    child.on('message', (said: Said) => {
      for (const n of said.taken) ledger.taken(n)
      for (const n of said.unsure) ledger.unsure(n, 'unanswered')
      for (let i = 0; i < said.refused; i++) ledger.refused('503')
      for (const problem of said.problems) ledger.refused(problem)
    })
    over.addEventListener('abort', () => child.send('end'))
    const [code] = (await once(child, 'exit')) as [number | null]
    await server.close()
    if (code !== 0) throw new Error(`The senders ended with ${code}`)
  }
}

/** Bodies under way take memory of their own. */
const ceiling = 1_500

export const httpPaths: readonly Path[] = [
  pathOn('sqlite', 'http', {
    about: '100 keep-alive senders of batches of 2,000 events, who send on at once whatever the answer',
    ceiling,
    told: ['503'],
    handle: () => undefined,
    load: sentBy({ quick: 100, batch: 2_000, bytes: 256, slow: 0, endless: 0 }),
  }),
  pathOn('sqlite', 'bodies', {
    about: '400 senders whose bodies of 900 KB take 15 s, 100 whose bodies never end, and 16 quick ones',
    ceiling,
    told: ['503'],
    handle: () => undefined,
    load: sentBy({ quick: 16, batch: 1, bytes: 900_000, slow: 400, endless: 100 }),
  }),
]
