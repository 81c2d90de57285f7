import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { Folder, main, millrace, noTerminal, onTerminal } from '../../test/command.ts'
import { EventRecord, headOf } from '../event/event.ts'
import { Payload } from '../event/payload.ts'
import { createEvent, fatal, millrace as appOf } from '../index.ts'

const exact = '{"orderId":"7","n":12345678901234567890}'

/** Dead letters in the queue billing, with these ids. */
async function withLetters(
  url: string,
  ids: readonly string[],
  { message = 'card declined', data = exact, type = undefined as string | undefined } = {},
): Promise<void> {
  await using app = appOf({ transport: url, logger: false })
  app.queue('billing').on('order.placed', () => {
    throw fatal(new RangeError(message))
  })
  let dead = 0
  const all = new Promise<void>((resolve) =>
    app.onDeadLetter(() => void (++dead === ids.length && resolve())),
  )
  const events = ids.map((id) => {
    const event = createEvent('order.placed', undefined, { id, key: 'k', subject: 'the subject' })
    return new EventRecord(id, event.type, event.key, headOf(event), Payload.from(data, type))
  })
  await app.start()
  for (const event of events) await app.publish(event)
  await all
}

const linesOf = (output: string): readonly string[] => output.trimEnd().split(/\r?\n/)
const idsIn = async (url: string): Promise<readonly unknown[]> => {
  const { stdout } = await millrace(['dead', 'list', 'billing', '--transport', url])
  return stdout === '' ? [] : linesOf(stdout).map((line) => (JSON.parse(line) as { id: unknown }).id)
}

describe('dead list and dead show', () => {
  test('in a pipe: JSON, with every digit of the data', async () => {
    using folder = new Folder()
    await withLetters(folder.url, ['one', 'two'])
    const listed = await millrace(['dead', 'list', 'billing', '--transport', folder.url])
    expect(listed).toMatchObject({ exitCode: 0, stderr: '' })
    const [first = '', second = ''] = linesOf(listed.stdout)
    expect(JSON.parse(first)).toEqual({
      id: 'one',
      queue: 'billing',
      error: { name: 'RangeError', message: 'card declined', stack: expect.stringContaining('    at ') },
      attempts: 1,
      firstFailedAt: expect.stringMatching(/^20.*Z$/),
      deadAt: expect.stringMatching(/^20.*Z$/),
      history: [{ at: expect.stringMatching(/^20.*Z$/), message: 'card declined' }],
      event: {
        id: 'one',
        type: 'order.placed',
        key: 'k',
        source: '/millrace',
        topic: 'order',
        subject: 'the subject',
        time: expect.stringMatching(/^20.*Z$/),
        extensions: {},
        data: JSON.parse(exact) as unknown,
      },
    })
    expect(first).toContain(`"data":${exact}`)
    expect(JSON.parse(second)).toMatchObject({ id: 'two' })
    expect(await millrace(['dead', 'show', 'billing', 'two', '--transport', folder.url])).toEqual({
      exitCode: 0,
      stdout: `${second}\n`,
      stderr: '',
    })
  })

  test.each([
    ['broken JSON', '{"half', undefined, { raw: Buffer.from('{"half').toString('base64') }],
    ['text', 'two\nlines', 'text/plain', { event: { contentType: 'text/plain', data: 'two\nlines' } }],
    [
      'bytes',
      'GIF89a',
      'image/gif',
      { event: { contentType: 'image/gif' }, raw: Buffer.from('GIF89a').toString('base64') },
    ],
  ])('data that is %s', async (_what, data, type, expected) => {
    using folder = new Folder()
    await withLetters(folder.url, ['one'], { data, type })
    const { stdout } = await millrace(['dead', 'list', 'billing', '--transport', folder.url])
    expect(JSON.parse(stdout)).toMatchObject({ id: 'one', ...expected })
    expect('raw' in (JSON.parse(stdout) as object)).toBe('raw' in expected)
    if (noTerminal) return
    const shown = await onTerminal(['dead', 'show', 'billing', 'one', '--transport', folder.url], {
      env: { NO_COLOR: '1' },
    })
    expect(linesOf(shown.stdout).join('\n')).toMatch(new RegExp(`\ndata\n${data.replace(/[{"]/g, '\\$&')}$`))
  })

  test.skipIf(noTerminal)('on a terminal: a table, and everything about one', async () => {
    using folder = new Folder()
    await withLetters(folder.url, ['one'], { message: `card declined \u001b[2J${'because '.repeat(30)}` })
    const env = { NO_COLOR: '1' }
    const listed = await onTerminal(['dead', 'list', 'billing', '--transport', folder.url], { env })
    const [head = '', row = '', ...more] = linesOf(listed.stdout)
    expect(more).toEqual([])
    expect(head.split(/ {2,}/)).toEqual(['id', 'type', 'attempts', 'died', 'error'])
    expect(row).toMatch(/^one  order\.placed +1  [\d.]+ m?s ago  card declined \u{FFFD}\[2Jbecause .*…$/u)
    expect(row.length).toBeLessThanOrEqual(120)

    const { exitCode, stdout } = await onTerminal(
      ['dead', 'show', 'billing', 'one', '--transport', folder.url],
      { env },
    )
    expect(exitCode).toBe(0)
    for (const shown of [
      /^id +one$/m,
      /^queue +billing$/m,
      /^key +k$/m,
      /^subject +the subject$/m,
      /^attempts +1$/m,
      /^ +at .*dead\.test\.ts/m,
    ]) {
      expect(linesOf(stdout).join('\n')).toMatch(shown)
    }
    expect(linesOf(stdout).join('\n')).toContain('data\n{\n  "orderId": "7",\n  "n": 12345678901234567890\n}')
    expect(stdout).not.toContain('\u001b')
  })

  test.skipIf(noTerminal)('a queue without dead letters', async () => {
    using folder = new Folder()
    await withLetters(folder.url, ['one'])
    await millrace(['dead', 'purge', 'billing', 'one', '--transport', folder.url])
    expect(await millrace(['dead', 'list', 'billing', '--transport', folder.url])).toEqual({
      exitCode: 0,
      stdout: '',
      stderr: '',
    })
    expect((await onTerminal(['dead', 'list', 'billing', '--transport', folder.url])).stdout).toBe(
      'no dead letters in billing\r\n',
    )
  })

  test('a reader that has seen enough ends it quietly', async () => {
    using folder = new Folder()
    await withLetters(
      folder.url,
      Array.from({ length: 400 }, (_, i) => `letter-${i}`),
      { message: 'long '.repeat(90) },
    )
    const child = spawn(process.execPath, [main, 'dead', 'list', 'billing', '--transport', folder.url])
    const stderr = text(child.stderr)
    await once(child.stdout, 'data')
    child.stdout.destroy()
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(await stderr).toBe('')
  })
})

describe('dead redrive and dead purge', () => {
  test('by id and all, printing their number', async () => {
    using folder = new Folder()
    await withLetters(folder.url, ['one', 'two', 'three', 'four'])
    const dead = (...args: string[]) => millrace(['dead', ...args, '--transport', folder.url])
    expect(await dead('redrive', 'billing', 'one', 'three')).toEqual({
      exitCode: 0,
      stdout: '2\n',
      stderr: '',
    })
    expect(await idsIn(folder.url)).toEqual(['two', 'four'])
    expect(JSON.parse((await millrace(['queues', '--transport', folder.url])).stdout)).toMatchObject({
      depth: 2,
      dead: 2,
    })
    expect(await dead('purge', 'billing', 'two')).toEqual({ exitCode: 0, stdout: '1\n', stderr: '' })
    expect(await dead('redrive', 'billing', '--all')).toEqual({ exitCode: 0, stdout: '1\n', stderr: '' })
    expect(JSON.parse((await millrace(['queues', '--transport', folder.url])).stdout)).toMatchObject({
      depth: 3,
      dead: 0,
    })
  })

  test('an unknown id ends with 4, and nothing is moved', async () => {
    using folder = new Folder()
    await withLetters(folder.url, ['one'])
    for (const command of [
      ['redrive', 'billing', 'one', 'gone'],
      ['purge', 'billing', 'one', 'gone'],
      ['show', 'billing', 'gone'],
    ]) {
      expect(await millrace(['dead', ...command, '--transport', folder.url])).toEqual({
        exitCode: 4,
        stdout: '',
        stderr:
          "millrace: The queue 'billing' has no dead letter 'gone' [DEAD_LETTER_NOT_FOUND]\nList them with `millrace dead list QUEUE`.\n",
      })
    }
    expect(await idsIn(folder.url)).toEqual(['one'])
  })

  test.each([
    'list nope',
    'show nope 1',
    'redrive nope 1',
    'redrive nope --all',
    'purge nope 1',
    'purge nope --all --yes',
  ])('an unknown queue ends with 4: dead %s', async (args) => {
    const { exitCode, stdout, stderr } = await millrace([
      'dead',
      ...args.split(' '),
      '--transport',
      'memory:',
    ])
    expect({ exitCode, stdout }).toEqual({ exitCode: 4, stdout: '' })
    expect(stderr).toMatch(/nope.*\[UNKNOWN_QUEUE\]/)
  })

  test('purge --all --yes asks nobody', async () => {
    using folder = new Folder()
    await withLetters(folder.url, ['one', 'two'])
    expect(await millrace(['dead', 'purge', 'billing', '--all', '--transport', folder.url])).toMatchObject({
      exitCode: 2,
    })
    expect(await idsIn(folder.url)).toEqual(['one', 'two'])
    expect(await millrace(['dead', 'purge', 'billing', '--all', '--yes', '--transport', folder.url])).toEqual(
      { exitCode: 0, stdout: '2\n', stderr: '' },
    )
    expect(await idsIn(folder.url)).toEqual([])
  })

  test.skipIf(noTerminal)(
    'purge --all asks on a terminal: everything but yes means no',
    { timeout: 30_000 },
    async () => {
      using folder = new Folder()
      await withLetters(folder.url, ['one', 'two'])
      const question = 'Delete all dead letters of billing? [y/N]'
      const purge = (type: string) =>
        onTerminal(['dead', 'purge', 'billing', '--all', '--transport', folder.url], {
          answer: { to: question, type },
        })
      for (const no of ['\n', 'n\n', '\u0003', '\u0004']) {
        const { exitCode, stdout } = await purge(no)
        expect(stdout).toContain('Nothing was deleted.')
        expect(exitCode).toBe(1)
      }
      expect(await idsIn(folder.url)).toEqual(['one', 'two'])
      const { exitCode, stdout } = await purge('y\n')
      expect({ exitCode, number: linesOf(stdout).at(-1) }).toEqual({ exitCode: 0, number: '2' })
      expect(await idsIn(folder.url)).toEqual([])
    },
  )
})
