import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { Folder, millrace, millraceUrl } from '../../test/command.ts'
import { root } from '../../test/imports.ts'

const appOn = (transport: string, from = millraceUrl): string =>
  `import { millrace } from '${from}'\nexport default millrace({ transport: '${transport}', source: '/shop' })\n`

test.each(['app.ts', 'app.mts', 'app.js', 'app.mjs'])('%s', async (name) => {
  using folder = new Folder()
  folder.write('package.json', '{ "type": "module" }')
  folder.write(name, appOn('memory:'))
  expect(await millrace(['queues', name], { cwd: folder.path })).toEqual({
    exitCode: 0,
    stdout: '',
    stderr: '',
  })
})

test('a module that exports no app', async () => {
  using folder = new Folder()
  for (const content of ['export const app = 1', 'export default { publish() {} }', 'export default null']) {
    const module = folder.write('app.mts', content)
    expect(await millrace(['queues', module])).toEqual({
      exitCode: 1,
      stdout: '',
      stderr: `millrace: ${module} does not export an app as default [MODULE_INVALID]\nEnd the module with \`export default app\`.\n`,
    })
  }
})

test.each([
  [
    'app.mjs',
    'const a = 1\nexport default = {\n',
    /app\.mjs:2\nexport default = \{\n.*\^\n\nSyntaxError: Unexpected token '='/,
  ],
  ['app.mts', 'const a: number = 1\nenum B { C }\n', /app\.mts:2\n[^]*TypeScript enum is not supported/],
  [
    'app.mts',
    'const a: number = 1\nthrow new Error("no licence")',
    /app\.mts:2\nthrow new Error\("no licence"\)[^]*Error: no licence\n    at .*app\.mts:2:7/,
  ],
  ['app.mts', 'import "./gone.ts"', /Cannot find module '.*gone\.ts' imported from .*app\.mts/],
])('a module that cannot be loaded shows its own error: %s %j', async (name, content, shown) => {
  using folder = new Folder()
  const module = folder.write(name, content)
  const { exitCode, stdout, stderr } = await millrace(['queues', module])
  expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' })
  expect(stderr.startsWith(`millrace: ${module} could not be loaded [MODULE_INVALID]\n`)).toBe(true)
  expect(stderr).toMatch(shown)
})

test('a module in a package that says it is CommonJS, as `npm init` makes them', async () => {
  using folder = new Folder()
  folder.write('package.json', '{ "type": "commonjs" }')
  folder.write('app.ts', appOn('memory:'))
  const { exitCode, stderr } = await millrace(['queues', 'app.ts'], { cwd: folder.path })
  expect(exitCode).toBe(1)
  expect(stderr).toMatch(
    /^millrace: Node takes app\.ts for CommonJS \[MODULE_COMMONJS\]\nSet it with `npm pkg set type=module`, or .*\n$/m,
  )
  expect(stderr).not.toContain('    at ')
})

test('what millrace refuses in a module keeps its code, and shows where it was', async () => {
  using folder = new Folder()
  const module = folder.write('app.mts', appOn('pigeon://u:secret@loft'))
  const { exitCode, stderr } = await millrace(['queues', module])
  expect(exitCode).toBe(2)
  expect(stderr).toMatch(
    /^millrace: No transport for 'pigeon:\/\/u:\*\*\*@loft'.* \[UNKNOWN_TRANSPORT\]\n.*\n/,
  )
  expect(stderr).toMatch(/\n    at .*app\.mts:2:\d+/)
  expect(stderr).not.toContain('secret')
})

test('the app may be of another copy of millrace', async () => {
  using folder = new Folder()
  folder.write('package.json', '{ "type": "module" }')
  cpSync(join(root, 'src'), join(folder.path, 'copy'), {
    recursive: true,
    filter: (path) => !path.includes('.test'),
  })
  const copy = pathToFileURL(join(folder.path, 'copy/index.ts')).href
  const module = folder.write(
    'app.ts',
    `import { defineEvents, millrace, unchecked } from '${copy}'
     const events = defineEvents({ 'order.placed': unchecked() }, { topic: () => 'orders' })
     const app = millrace({ transport: '${folder.url}', events, source: '/shop', logger: false })
     app.queue('billing', { retry: { attempts: 1 } }).on('order.placed', (event) => {
       console.log(new TextDecoder().decode(event.bytes), event.source, event.topic)
     })
     export default app`,
  )
  const data = '{"n": 12345678901234567890}'
  expect(await millrace(['publish', module, 'order.placed', data])).toMatchObject({ exitCode: 0, stderr: '' })
  expect(await millrace(['publish', module, 'order.lost', data])).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('[UNKNOWN_TYPE]'),
  })
  expect(await millrace(['dead', 'redrive', module, 'gone', '--all'])).toMatchObject({ exitCode: 4 })
  expect(JSON.parse((await millrace(['queues', module])).stdout)).toMatchObject({ name: 'billing', depth: 1 })
})

test('a module that holds on to something does not keep the command from ending', async () => {
  using folder = new Folder()
  const module = folder.write('app.mts', `setInterval(() => undefined, 1_000)\n${appOn('memory:')}`)
  expect(await millrace(['publish', module, 'a.b'])).toMatchObject({ exitCode: 0, stderr: '' })
})
