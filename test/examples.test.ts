/*
 * Examples import millrace by its name, which leads to dist: `npm test` has it built when it is not up to date.
 */
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { account, type Letter } from '../examples/github-webhooks/accounts.ts'
import type { Sent } from '../examples/github-webhooks/feed.ts'
import { Folder, noTerminal, nodeOnTerminal, outcomeOf, startNode } from './command.ts'
import { root } from './imports.ts'

const example = (...path: readonly string[]): string => join(root, 'examples', ...path)
const command = join(root, 'dist/cli/main.js')

/** What the example is expected to print. `<id>` and `<number>` stand for those of the day. */
function expected(name: string): RegExp {
  const text = readFileSync(example(name, 'expected.txt'), 'utf8')
  const pattern = text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${pattern.replaceAll('<id>', id.source).replaceAll('<number>', '\\d+')}$`)
}

const id = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/
const totals = '329 sent, 329 accepted, 328 handled, 1 dead, 0 unaccounted'

/** Failure lines, without ids, in no order. */
const failures = (stderr: string): readonly string[] =>
  stderr
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(id, '<id>'))
    .toSorted()

const expectedFailures = [
  "millrace builds github.workflow_run <id>: attempt 1 failed: Cannot read properties of null (reading 'replaceAll'); next try in 100 ms",
  "millrace builds github.workflow_run <id>: attempt 2 failed: Cannot read properties of null (reading 'replaceAll'); next try in 100 ms",
  "millrace builds github.workflow_run <id>: dead letter after 3 attempts: Cannot read properties of null (reading 'replaceAll')",
  ...Array.from(
    { length: 3 },
    () => 'millrace notify github.star <id>: attempt 1 failed: the chat is not available; next try in 300 ms',
  ),
]

/** Makes the app's first call of Math.random, and no other one, lose. */
const declineOnce = `
  let calls = 0
  Math.random = () => new Error().stack.includes('quick-start/app.ts') && calls++ === 0 ? 0.1 : 0.9
`

describe('quick-start', () => {
  test('is what the README shows', () => {
    const code = readFileSync(example('quick-start/app.ts'), 'utf8')
    expect(readFileSync(join(root, 'README.md'), 'utf8')).toContain(`\`\`\`ts\n${code}\`\`\`\n`)
  })

  test('a declined card is tried again, and the customer thanked', async () => {
    using folder = new Folder()
    const luck = `data:text/javascript,${encodeURIComponent(declineOnce)}`
    const app = example('quick-start/app.ts')
    const { child, printed, outcome } = startNode(['--import', luck, command, 'run', app], {
      cwd: folder.path,
    })
    await printed('consuming billing (order.placed), mail (order.paid) from sqlite')
    const order = ['order.placed', '{"orderId":"7","total":10}']
    expect(await outcomeOf([command, 'publish', app, ...order], { cwd: folder.path })).toMatchObject({
      exitCode: 0,
    })
    await printed('attempt 1 failed: card declined')
    await printed('thank you for 7\n')
    child.kill('SIGINT')
    const { exitCode, stdout } = await outcome
    expect(stdout).toMatch(expected('quick-start'))
    expect(exitCode).toBe(0)
  })
})

test('outbox: what is committed is announced, and what is rolled back is not', async () => {
  using folder = new Folder()
  const args = ['--disable-warning=ExperimentalWarning', example('outbox/main.ts')]
  const outcome = await outcomeOf(args, { cwd: folder.path })
  expect(outcome.stderr).toBe('')
  expect(outcome.stdout).toMatch(expected('outbox'))
  expect(outcome.exitCode).toBe(0)
})

describe('github-webhooks', () => {
  const main = example('github-webhooks/main.ts')
  const app = example('github-webhooks/app.ts')

  test('--once ends with the summary and leaves nothing behind', async () => {
    using folder = new Folder()
    // Node 22 warns of SQLite.
    const args = ['--disable-warning=ExperimentalWarning', main, '--once']
    const outcome = await outcomeOf(args, { cwd: folder.path, env: { TMPDIR: folder.path } })
    expect(outcome.stdout).toMatch(expected('github-webhooks'))
    expect(failures(outcome.stderr)).toEqual(expectedFailures)
    expect(outcome.exitCode).toBe(0)
    expect(readdirSync(folder.path)).toEqual([])
  })

  test.skipIf(noTerminal)(
    'on a terminal it has a bar, which failures do not go under, and a table',
    async () => {
      using folder = new Folder()
      const { stdout, exitCode } = await nodeOnTerminal([main, '--once'], { env: { TMPDIR: folder.path } })
      expect(exitCode).toBe(0)
      expect(stdout).toContain('329 of 329')
      expect(stdout).not.toContain('sent 329 of 329')
      const lines = stdout.matchAll(
        /millrace (?:builds|notify) .*(?:next try in \d+ ms|replaceAll'\))(?=\r\n)/g,
      )
      expect(failures(Array.from(lines, ([line]) => line).join('\n'))).toEqual(expectedFailures)
      expect(stdout).toMatch(/│ builds +│ +5 │ +4 │ +2 │ +1 │ workflow_run +│/)
      expect(stdout.trimEnd().split('\r\n').at(-1)).toBe(totals)
    },
  )

  test('--once that is cut short has webhooks unaccounted for: 1', async () => {
    using folder = new Folder()
    const { child, printed, outcome } = startNode([main, '--once'], { env: { TMPDIR: folder.path } })
    await printed('serving on ')
    child.kill('SIGINT')
    expect(await outcome).toMatchObject({ exitCode: 1, stdout: expect.not.stringContaining('unaccounted') })
    expect(readdirSync(folder.path)).toEqual([])
  })

  test('serves until Ctrl-C; its file, and the dead letters in it, stay for the command and the next run', async () => {
    using folder = new Folder()
    const cwd = folder.path
    await using taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const { port } = taken.address() as AddressInfo

    const first = startNode([main], { cwd, env: { PORT: String(port) } })
    await first.printed('until Ctrl-C\n')
    const url = new URL(/http:\S+/.exec(first.output())?.[0] ?? '')
    expect(Number(url.port)).toBeGreaterThan(port)
    expect((await fetch(url, { method: 'POST', body: '{}' })).status).toBe(401)
    const redrive = /npx millrace (dead redrive \S+ builds \S+)/.exec(first.output())?.[1]?.split(' ') ?? []
    expect(await outcomeOf([command, ...redrive], { cwd })).toMatchObject({ exitCode: 0, stdout: '1\n' })
    await vi.waitFor(async () => {
      const { stdout } = await outcomeOf([command, 'dead', 'list', app, 'builds'], { cwd })
      expect(JSON.parse(stdout)).toMatchObject({ id: redrive.at(-1), history: { length: 6 } })
    }, 20_000)
    first.child.kill('SIGINT')
    const { exitCode, stdout } = await first.outcome
    expect(stdout).toContain(`\n${totals}\n`)
    expect(exitCode).toBe(0)

    const second = startNode([main], { cwd, env: { PORT: '0' } })
    await second.printed('until Ctrl-C\n')
    second.child.kill('SIGTERM')
    expect(await second.outcome).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(`\\nDead letters in builds of earlier events: 1\\n[^]*\\n${totals}\\n`),
    })
  })
})

describe('the accounts of github-webhooks', () => {
  const push: Sent = { id: 'p', type: 'github.push', accepted: true }
  const star: Sent = { id: 's', type: 'github.star', accepted: true }
  const queues = new Map([
    ['audit', ['*']],
    ['notify', ['github.star']],
  ])
  const entry = (queue: string, event: Sent, attempt = 1) => ({ queue, id: event.id, attempt })
  const letter = (queue: string, event: Sent): Letter => ({
    queue,
    name: event.id,
    id: event.id,
    type: event.type,
    attempts: 3,
    message: 'no',
  })
  const evidence = {
    sent: [push, star],
    queues,
    handled: [entry('audit', push), entry('audit', star), entry('notify', star)],
    dead: [],
    waiting: new Map<string, number>(),
  }

  test('handled: by every queue that subscribes to it', () => {
    expect(account(evidence)).toMatchObject({ sent: 2, accepted: 2, handled: 2, dead: 0, unaccounted: 0 })
  })

  test('one queue without a trace of it: unaccounted for', () => {
    const handled = evidence.handled.slice(0, 2)
    const accounts = account({ ...evidence, handled })
    expect(accounts).toMatchObject({ handled: 1, dead: 0, unaccounted: 1 })
    expect(accounts.queues[1]?.outcomes).toEqual(new Map([['s', 'missing']]))
  })

  test('one queue with its dead letter: dead, unless another queue has no trace of it', () => {
    const dead = [letter('notify', star)]
    expect(account({ ...evidence, handled: evidence.handled.slice(0, 2), dead })).toMatchObject({
      handled: 1,
      dead: 1,
      unaccounted: 0,
    })
    expect(account({ ...evidence, handled: evidence.handled.slice(0, 1), dead })).toMatchObject({
      handled: 1,
      dead: 0,
      unaccounted: 1,
    })
  })

  test('other events, and the same event delivered again, make no difference', () => {
    const other: Sent = { id: 'earlier', type: 'github.star', accepted: true }
    const handled = [
      ...evidence.handled,
      entry('notify', other),
      entry('notify', star, 2),
      entry('notify', star, 2),
    ]
    const accounts = account({ ...evidence, handled, dead: [letter('notify', other)] })
    expect(accounts).toMatchObject({ handled: 2, dead: 0, unaccounted: 0 })
    expect(accounts.queues[1]).toMatchObject({ retries: 1, otherDead: 1 })
  })

  test('an event that was not accepted and is nowhere is unaccounted for, as is one that no queue subscribes to', () => {
    const refused: Sent = { id: 'r', type: 'github.push', accepted: false }
    expect(account({ ...evidence, sent: [push, refused] })).toMatchObject({
      sent: 2,
      accepted: 1,
      unaccounted: 1,
    })
    expect(account({ ...evidence, queues: new Map([['notify', ['github.star']]]) })).toMatchObject({
      handled: 1,
      unaccounted: 1,
    })
  })
})
