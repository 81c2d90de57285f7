import { expect, test, vi } from 'vitest'
import { Folder, millrace, millraceUrl, outcomeOf, start } from '../../test/command.ts'

const sqliteUrl = new URL('../adapters/sqlite/index.ts', import.meta.url).href

/** An app whose transport and outbox are two files; with `publish` as an argument it publishes in a transaction. */
function shop(folder: Folder): string {
  return folder.write(
    'app.mts',
    `import { DatabaseSync } from 'node:sqlite'
     import { millrace } from '${millraceUrl}'
     import { sqlite } from '${sqliteUrl}'
     const app = millrace({ transport: '${folder.url}', outbox: sqlite('${folder.path}/outbox.db'), relay: false })
     app.queue('billing').on('order.placed', () => {})
     if (process.argv[2] === 'publish') {
       await app.queues()
       const transaction = new DatabaseSync('${folder.path}/outbox.db')
       transaction.exec('BEGIN')
       await app.publish('order.placed', { orderId: '7' }, { transaction })
       transaction.exec('COMMIT')
       await app.stop()
     }
     export default app`,
  )
}

async function depths(module: string): Promise<Record<string, number>> {
  const { stdout } = await millrace(['queues', module])
  const stats = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { name: string; depth: number })
  return Object.fromEntries(stats.map(({ name, depth }) => [name, depth]))
}

test('queues shows what waits in the outbox; relay sends it on, and handles nothing', async () => {
  using folder = new Folder()
  const module = shop(folder)
  expect(await outcomeOf([module, 'publish'])).toMatchObject({ exitCode: 0 })
  expect(await depths(module)).toEqual({ billing: 0, 'millrace.outbox': 1 })
  const { child, printed, outcome } = start(['relay', module])
  await printed('relaying the outbox to sqlite\n')
  await vi.waitFor(
    async () => expect(await depths(module)).toEqual({ billing: 1, 'millrace.outbox': 0 }),
    20_000,
  )
  child.kill('SIGTERM')
  expect(await outcome).toMatchObject({
    exitCode: 0,
    stderr: expect.stringMatching(/\nmillrace: stopped\n$/),
  })
})

test('an app without an outbox has nothing to relay: 2', async () => {
  using folder = new Folder()
  const module = folder.write(
    'app.mts',
    `import { millrace } from '${millraceUrl}'
     export default millrace({ transport: '${folder.url}' })`,
  )
  expect(await millrace(['relay', module])).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('has no outbox'),
  })
  expect(await millrace(['relay'])).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('name the module'),
  })
})
