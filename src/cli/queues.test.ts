import { expect, test } from 'vitest'
import { Folder, millrace, millraceUrl, noTerminal, onTerminal } from '../../test/command.ts'

function twoQueues(folder: Folder): string {
  return folder.write(
    'app.mts',
    `import { millrace } from '${millraceUrl}'
     const app = millrace({ transport: '${folder.url}' })
     app.queue('billing').on('order.placed', () => undefined)
     app.queue('mail').on('order.*', () => undefined)
     export default app`,
  )
}

test('in a pipe: one line of JSON for each queue, with the keys of QueueStats', async () => {
  using folder = new Folder()
  const module = twoQueues(folder)
  await millrace(['publish', module, 'order.paid', '{}'])
  const { exitCode, stdout, stderr } = await millrace(['queues', module])
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
  const [billing, mail] = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  const zero = { inFlight: 0, retrying: 0, delayed: 0, dead: 0, handledPerSecond: 0, failedPerSecond: 0 }
  expect(billing).toEqual({ name: 'billing', depth: 0, oldestMs: 0, ...zero })
  expect(mail).toEqual({ name: 'mail', depth: 1, oldestMs: expect.any(Number), ...zero })
})

test.skipIf(noTerminal)('on a terminal: a table', async () => {
  using folder = new Folder()
  const module = twoQueues(folder)
  await millrace(['publish', module, 'order.paid', '{}'])
  const { exitCode, stdout } = await onTerminal(['queues', module], { env: { NO_COLOR: '1' } })
  expect(exitCode).toBe(0)
  const lines = stdout.trimEnd().split('\r\n')
  expect(new Set(lines.map((line) => line.length)).size).toBe(1)
  expect(lines.map((line) => line.split(/ {2,}/))).toEqual([
    ['queue', 'depth', 'in flight', 'retrying', 'delayed', 'dead', 'oldest', 'handled/s', 'failed/s'],
    ['billing', '0', '0', '0', '0', '0', '-', '0.0', '0.0'],
    ['mail', '1', '0', '0', '0', '0', expect.stringMatching(/^[\d.]+ m?s$/), '0.0', '0.0'],
  ])
})

test.skipIf(noTerminal)('colours only on a terminal, and not with NO_COLOR', async () => {
  using folder = new Folder()
  const module = twoQueues(folder)
  const coloured = async (env: Record<string, string>): Promise<boolean> =>
    (await onTerminal(['queues', module], { env })).stdout.includes('\u001b[')
  expect([await coloured({}), await coloured({ NO_COLOR: '1' })]).toEqual([true, false])
  expect((await millrace(['queues', module])).stdout).not.toContain('\u001b')
  expect((await onTerminal(['nope'])).stdout).toContain('\u001b[31mmillrace:\u001b[39m unknown command')
})

test.skipIf(noTerminal)('on a terminal, where there is no queue', async () => {
  expect((await onTerminal(['queues', '--transport', 'memory:'])).stdout).toBe('no queues yet\r\n')
})
