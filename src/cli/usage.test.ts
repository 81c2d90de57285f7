import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Folder, main, millrace, millraceUrl, outcomeOf } from '../../test/command.ts'
import { root } from '../../test/imports.ts'

describe('help and version', () => {
  test('--help goes to stdout, and names every command', async () => {
    const { exitCode, stdout, stderr } = await millrace(['--help'])
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(stdout).toMatch(
      /run <module>[^]*publish \[module\] <type>[^]*queues \[module\][^]*dead <command>[^]*Exit codes: 0/,
    )
  })

  test.each(['run', 'publish', 'queues', 'dead', 'dead list', 'dead show', 'dead redrive', 'dead purge'])(
    '%s --help',
    async (command) => {
      const { exitCode, stdout } = await millrace([...command.split(' '), '--help'])
      expect({ exitCode, usage: stdout.startsWith(`Usage: millrace ${command} `) }).toEqual({
        exitCode: 0,
        usage: true,
      })
    },
  )

  test('--version is that of the package', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
    expect(await millrace(['--version'])).toEqual({ exitCode: 0, stdout: `${version}\n`, stderr: '' })
  })

  test.each([[], ['dead']])('without a command: the help, on stderr, and 2 (%s)', async (...args) => {
    const { exitCode, stdout, stderr } = await millrace(args)
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).toMatch(/^Usage: millrace/)
  })
})

describe('a mistake in the command line ends with 2 and one coded line', () => {
  test.each([
    ['qeues', /unknown command 'qeues' \(Did you mean queues\?\) \[USAGE\]\nSee `millrace --help`\.\n$/],
    ['queues --nope', /unknown option '--nope' \[USAGE\]/],
    ['queues --transport', /option '--transport <url>' argument missing \[USAGE\]/],
    ['queues extra --transport memory:', /Unexpected argument 'extra' \[USAGE\]/],
    ['queues', /Name a module, or give --transport URL, or set MILLRACE_URL \[USAGE\]/],
    [
      'queues --transport carrier-pigeon://u:secret@h',
      /No transport for 'carrier-pigeon:\/\/u:\*\*\*@h'.* \[UNKNOWN_TRANSPORT\]/,
    ],
    ['queues --transport sqlite:', /No path in 'sqlite:'.* \[INVALID_OPTION\]/],
    ['queues nowhere.ts', /There is no file nowhere\.ts \[MODULE_INVALID\]/],
    ['run', /Nothing to run: name the module/],
    ['run --transport memory:', /Nothing to run: name the module/],
    ['run app.ts --host ::1', /--host needs --port/],
    ['run app.ts --port 65536', /A port is a number from 0 to 65535\. \[USAGE\]/],
    ['publish', /<type> is missing/],
    ['publish app.ts', /<type> is missing/],
    ['publish a.b {} more --transport memory:', /Unexpected argument 'more' \[USAGE\]/],
    ['publish a.b {"x": --transport memory:', /The data is not JSON: .* \[USAGE\]/],
    ['publish a.b - --transport memory:', /The data is not JSON: .* \[USAGE\]/],
    ['publish a*b --transport memory:', /Not an event type: "a\*b" \[INVALID_EVENT\]/],
    [
      'publish com.acme.placed --transport memory:',
      /No topic can be told from the type 'com\.acme\.placed' \[TOPIC_AMBIGUOUS\]\nGive `defineEvents/,
    ],
    ['publish a.b --delay soon --transport memory:', /Expected `delay` .* got "soon" \[INVALID_OPTION\]/],
    ['dead list --transport memory:', /<queue> is missing/],
    ['dead show q --transport memory:', /<id> is missing/],
    ['dead redrive q --transport memory:', /Name their ids, or give --all/],
    ['dead purge q --transport memory:', /Name their ids, or give --all/],
    ['dead purge q 1 --all --yes --transport memory:', /ids or --all, not both/],
    ['dead purge q --all --transport memory:', /--all needs --yes/],
  ])('%s', async (args, message) => {
    const { exitCode, stdout, stderr } = await millrace(args.split(' '))
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' })
    expect(stderr).toMatch(message)
    expect(stderr.trimEnd().split('\n')).toHaveLength(2)
  })
})

describe('where the transport comes from', () => {
  test('MILLRACE_URL, if neither a module nor --transport is given', async () => {
    using folder = new Folder()
    expect(await millrace(['queues'], { env: { MILLRACE_URL: folder.url } })).toEqual({
      exitCode: 0,
      stdout: '',
      stderr: '',
    })
    expect(
      await millrace(['queues', '--transport', 'memory:'], { env: { MILLRACE_URL: 'nope:' } }),
    ).toMatchObject({ exitCode: 0 })
  })

  test('the app of the module comes before MILLRACE_URL, --transport before both', async () => {
    using folder = new Folder()
    const module = folder.write(
      'app.ts',
      `import { millrace } from '${millraceUrl}'
       const app = millrace({ transport: '${folder.url}' })
       app.queue('billing').on('order.placed', () => undefined)
       export default app`,
    )
    const other = `sqlite:${join(folder.path, 'other.db')}`
    const env = { MILLRACE_URL: 'nope:' }
    await millrace(['publish', module, 'order.placed'], { env })
    await millrace(['publish', module, 'order.placed', '--transport', other], { env })
    await millrace(['publish', module, 'order.placed', '--transport', other], { env })
    const depth = async (url: string): Promise<unknown> =>
      (JSON.parse((await millrace(['queues', '--transport', url])).stdout) as { depth: number }).depth
    expect([await depth(folder.url), await depth(other)]).toEqual([1, 2])
  })

  test('a path that cannot be opened ends with 3', async () => {
    const { exitCode, stdout, stderr } = await millrace([
      'publish',
      'a.b',
      '--transport',
      'sqlite:/nowhere/at/all/x.db',
    ])
    expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: '' })
    expect(stderr).toMatch(
      /^millrace: .*\/nowhere\/at\/all\/x\.db: .* \[TRANSPORT_UNREACHABLE\]\nCheck the URL.*\n$/,
    )
  })

  test('a file that is no database ends with 3, and shows its stack only with MILLRACE_DEBUG=1', async () => {
    using folder = new Folder()
    folder.write('shop.db', 'this is not a database, it is a text that goes on for longer than a header does')
    const args = ['queues', '--transport', folder.url]
    const { exitCode, stderr } = await millrace(args)
    expect(exitCode).toBe(3)
    expect(stderr).toMatch(/\[STORE_CORRUPT\]\n.*\n$/)
    expect(stderr).not.toContain('    at ')
    expect((await millrace(args, { env: { MILLRACE_DEBUG: '1' } })).stderr).toMatch(
      /\[STORE_CORRUPT\][^]*\n    at /,
    )
  })
})

describe('Node', () => {
  const pretending = (
    version: string,
  ): Promise<{ exitCode: number | null; stdout: string; stderr: string }> => {
    const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`
    return outcomeOf(['--import', `data:text/javascript,${encodeURIComponent(pretend)}`, main, '--version'])
  }

  test.each(['18.0.0', '20.20.2', '22.22.2', '23.11.0', '24.14.9'])('%s is too old', async (version) => {
    expect(await pretending(version)).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: `millrace: Node.js ${version} is too old [NODE_TOO_OLD]\nUse Node.js 24.15 or newer, or 22.22.3 or newer in the 22 line.\n`,
    })
  })

  test.each(['22.22.3', '22.23.0', '24.15.0', '25.0.0', '26.1.0'])('%s is not', async (version) => {
    expect(await pretending(version)).toMatchObject({ exitCode: 0, stderr: '' })
  })
})
