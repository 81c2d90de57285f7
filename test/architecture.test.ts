import { describe, expect, test } from 'vitest'
import { importsOf, isTest, readSources, resolveImport } from './imports.ts'

/**
 * Who may import whom, and the only place that says so. A layer is a folder of src; `root` is the files
 * directly in src (index.ts, app.ts). Within a layer imports are free, except between two adapters.
 */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  errors: ['clock'],
  clock: ['errors'],
  event: ['errors', 'clock'],
  contract: ['errors', 'clock', 'event'],
  report: ['errors', 'clock', 'event', 'contract'],
  publish: ['errors', 'clock', 'event', 'contract', 'report'],
  receive: ['errors', 'clock', 'event', 'contract', 'report'],
  adapters: ['errors', 'clock', 'event', 'contract'],
  pipeline: ['errors', 'clock', 'event', 'contract', 'publish', 'receive', 'adapters'],
  channels: ['errors', 'clock', 'event', 'contract', 'publish', 'receive', 'adapters', 'pipeline'],
  queue: ['errors', 'clock', 'event', 'contract', 'publish', 'receive', 'adapters', 'pipeline'],
  root: [
    'errors',
    'clock',
    'event',
    'contract',
    'report',
    'publish',
    'receive',
    'adapters',
    'pipeline',
    'channels',
    'queue',
  ],
  testing: ['*'],
  cli: ['*'],
  dashboard: ['*'],
  // The cases that need an engine drive it through the public face, as a user would.
  conformance: ['errors', 'clock', 'event', 'contract', 'root'],
}
const onTop = ['testing', 'cli', 'dashboard', 'conformance'] // what nothing else may import
const onlyConformance = /^vitest(\/|$)/
const emptyNames = ['utils', 'helpers', 'common', 'shared', 'core', 'lib', 'misc']
const mostLines = { source: 300, test: 500 }

type Sources = ReadonlyMap<string, string>

function layerBreaches(sources: Sources): readonly string[] {
  const breaches: string[] = []
  for (const [file, text] of sources) {
    if (isTest(file)) continue
    const from = layerOf(file)
    if (!Object.hasOwn(mayImport, from)) breaches.push(`src/${file} is in no known layer`)
    for (const { specifier } of importsOf(text)) {
      const target = resolveImport(file, specifier)
      const reason = target === undefined ? packageBreach(from, specifier) : sourceBreach(file, target)
      if (reason) breaches.push(`src/${file} imports ${specifier}: ${reason}`)
    }
  }
  return breaches
}

function sourceBreach(file: string, target: string): string | undefined {
  const [from, to] = [layerOf(file), layerOf(target)]
  if (isTest(target)) return 'a test is imported by nobody'
  if (target.startsWith('..')) return 'it lies outside src'
  if (from === to) {
    const apart = from === 'adapters' && adapterOf(file) !== adapterOf(target)
    return apart ? 'an adapter never imports another adapter' : undefined
  }
  const allowed = mayImport[from] ?? []
  if (allowed.includes(to) || (allowed.includes('*') && !onTop.includes(to))) return undefined
  return `${from} may not import ${to}`
}

function packageBreach(from: string, specifier: string): string | undefined {
  if (from !== 'conformance' && onlyConformance.test(specifier)) return 'only conformance imports vitest'
  if (/^millrace(\/|$)/.test(specifier)) return 'src imports itself by path'
  return undefined
}

/** Tests start programs of src as they are, on every Node that is promised; conformance is only run compiled. */
function syntaxBreaches(sources: Sources): readonly string[] {
  const isRun = ([file]: readonly [string, string]): boolean =>
    !isTest(file) && layerOf(file) !== 'conformance'
  return [...sources]
    .filter((source) => isRun(source) && /^\s*(await )?using /m.test(source[1]))
    .map(([file]) => `src/${file} has \`using\`, which Node 22 does not know`)
}

function folderBreaches(sources: Sources): readonly string[] {
  return [...sources.keys()].filter((file) =>
    file
      .split('/')
      .slice(0, -1)
      .some((name) => emptyNames.includes(name)),
  )
}

function lengthBreaches(sources: Sources): readonly string[] {
  const tooLong = ([file, text]: [string, string]): boolean =>
    text.trimEnd().split('\n').length > (isTest(file) ? mostLines.test : mostLines.source)
  return [...sources].filter(tooLong).map(([file]) => file)
}

const layerOf = (file: string): string => (file.includes('/') ? (file.split('/')[0] ?? '') : 'root')
const adapterOf = (file: string): string | undefined => file.split('/')[1]

const sources = readSources()

describe('src', () => {
  test('imports go one way', () => expect(layerBreaches(sources)).toEqual([]))
  test('no folder has a name that says nothing', () => expect(folderBreaches(sources)).toEqual([]))
  test('every file can be read at one sitting', () => expect(lengthBreaches(sources)).toEqual([]))
  test('every file can be run by the oldest Node', () => expect(syntaxBreaches(sources)).toEqual([]))
})

describe('the rule finds a breach', () => {
  const made = (file: string, text: string): Sources => new Map([[file, text]])

  test.each([
    ['event/a.ts', "import { x } from '../contract/transport.ts'", 'event may not import contract'],
    ['event/a.ts', "import type { x } from '../receive/x.ts'", 'event may not import receive'],
    ['receive/a.ts', "export * from '../publish/x.ts'", 'receive may not import publish'],
    ['publish/a.ts', "const x = await import('../app.ts')", 'publish may not import root'],
    ['adapters/http/a.ts', "import { x } from '../memory/x.ts'", 'an adapter never imports another adapter'],
    ['adapters/http/a.ts', "import { x } from '../../receive/x.ts'", 'adapters may not import receive'],
    ['queue/a.ts', "import {\n  x,\n  y as z,\n} from '../channels/x.ts'", 'queue may not import channels'],
    ['index.ts', "export { x } from './testing/index.ts'", 'root may not import testing'],
    ['cli/a.ts', "import '../conformance/index.ts'", 'cli may not import conformance'],
    [
      'conformance/a.ts',
      "import { x } from '../adapters/memory/x.ts'",
      'conformance may not import adapters',
    ],
    ['testing/a.ts', "import { test } from 'vitest'", 'only conformance imports vitest'],
    ['cli/a.ts', "import { x } from 'millrace'", 'src imports itself by path'],
    ['event/a.ts', "import { x } from './a.test.ts'", 'a test is imported by nobody'],
    ['event/a.ts', "import p from '../../package.json' with { type: 'json' }", 'it lies outside src'],
    ['strange/a.ts', '', 'is in no known layer'],
  ])('%s: %s', (file, text, reason) => {
    expect(layerBreaches(made(file, text))).toEqual([expect.stringContaining(reason)])
  })

  test.each([
    [
      'event/a.ts',
      "import { x } from '../errors/x.ts'\nimport { y } from './y.ts'\nimport fs from 'node:fs'",
    ],
    ['adapters/sqlite/a.ts', "import { x } from './deep/x.ts'\nimport { y } from '../../contract/y.ts'"],
    ['queue/a.ts', "import { x } from '../pipeline/x.ts'"],
    ['testing/a.ts', "import { x } from '../app.ts'\nimport { y } from '../adapters/memory/index.ts'"],
    ['conformance/a.ts', "import { test } from 'vitest'\nimport { x } from '../contract/x.ts'"],
    ['event/a.test.ts', "import { test } from 'vitest'\nimport { x } from '../receive/x.ts'"],
    ['event/a.ts', "// import { x } from '../receive/x.ts'\n/**\n * import { y } from '../cli/y.ts'\n */"],
  ])('and lets pass what is right: %s: %s', (file, text) => {
    expect(layerBreaches(made(file, text))).toEqual([])
  })

  test('in syntax', () => {
    for (const text of ['using a = b()', '  await using a = await b()']) {
      expect(syntaxBreaches(made('cli/a.ts', text))).toEqual([expect.stringContaining('src/cli/a.ts has')])
    }
    expect(syntaxBreaches(made('cli/a.test.ts', 'using a = b()'))).toEqual([])
    expect(syntaxBreaches(made('cli/a.ts', '/** What is using it. */'))).toEqual([])
  })

  test('in names and lengths', () => {
    expect(folderBreaches(made('receive/utils/a.ts', ''))).toEqual(['receive/utils/a.ts'])
    expect(folderBreaches(made('receive/common.ts', ''))).toEqual([])
    expect(lengthBreaches(made('receive/a.ts', 'x\n'.repeat(301)))).toEqual(['receive/a.ts'])
    expect(lengthBreaches(made('receive/a.ts', 'x\n'.repeat(300)))).toEqual([])
  })
})
