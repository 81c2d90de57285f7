import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { newSchema } from './database.ts'

/** Makes the tables, publishes, handles, fails, buries and stops. */
const program = `
  import { millrace } from './src/index.ts'
  const { promise: isDead, resolve } = Promise.withResolvers()
  const app = millrace({ transport: process.argv[1] })
  app.queue('q', { retry: { attempts: 1 } }).on('order.placed', ({ data }) => {
    if (data === 'bad') throw new Error('never')
  })
  app.onDeadLetter(resolve)
  await app.start()
  await app.publish('order.placed', 'good')
  await app.publish('order.placed', 'bad')
  await isDead
  await app.stop()
`

await describeWithServer('postgres', (url) => {
  test('nothing is written to stdout, and of what goes well nothing at all', async () => {
    const place = `${url}?schema=${newSchema()}`
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', program, place],
      { cwd: new URL('../..', import.meta.url) },
    )
    expect(stdout).toBe('')
    expect(stderr.split('\n').filter((line) => line !== '' && !line.includes('dead'))).toEqual([])
    expect(stderr).toContain('never')
  })
})
