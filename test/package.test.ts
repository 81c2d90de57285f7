import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { importsOf, readSources, resolveImport, root } from './imports.ts'

interface Manifest {
  readonly bin: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest
const entries = Object.entries(manifest.exports).flatMap(([subpath, target]) =>
  typeof target === 'string' ? [] : [{ subpath, ...target }],
)
const sources = readSources()
const sourceOf = (dist: string): string => dist.replace('./dist/', '').replace(/\.js$/, '.ts')

describe('exports', () => {
  test.each(entries)('$subpath has its source', ({ default: js, types }) => {
    expect(types).toBe(js.replace(/\.js$/, '.d.ts'))
    expect([...sources.keys()]).toContain(sourceOf(js))
  })

  test('the command has its source, which begins with a hashbang', () => {
    expect(sources.get(sourceOf(manifest.bin['millrace'] ?? ''))).toMatch(/^#!\/usr\/bin\/env node\n/)
  })
})

describe('dependencies', () => {
  test('importing millrace loads no package', () => {
    expect(packagesOf('index.ts', sources)).toEqual([])
  })

  test.each(entries)('$subpath loads only packages that millrace declares', ({ default: js }) => {
    const declared = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })
    expect(packagesOf(sourceOf(js), sources).filter((name) => !declared.includes(name))).toEqual([])
  })

  test('every peer is optional', () => {
    const peers = Object.keys(manifest.peerDependencies ?? {})
    expect(peers.filter((name) => !manifest.peerDependenciesMeta?.[name]?.optional)).toEqual([])
  })

  test('a package three files deep is found, a type or a lazy import is not counted', () => {
    const made = new Map([
      ['index.ts', "export * from './a/one.ts'\nimport type { T } from 'typed'"],
      ['a/one.ts', "import '../b/two.ts'\nconst lazy = () => import('later')"],
      ['b/two.ts', "import fs from 'node:fs'\nimport { z } from '@scope/deep/sub'\nimport '../index.ts'"],
    ])
    expect(packagesOf('index.ts', made)).toEqual(['@scope/deep'])
  })
})

describe('the packed package', () => {
  test('has what it needs and no test', { timeout: 60_000 }, async () => {
    const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: root,
      shell: process.platform === 'win32',
    })
    const files = packedFiles(stdout)
    expect(files).toEqual(expect.arrayContaining(['package.json', 'README.md', 'LICENSE']))
    for (const { default: js, types } of entries.filter((entry) => existsSync(join(root, entry.default)))) {
      expect(files).toEqual(expect.arrayContaining([js.slice(2), types.slice(2), `src/${sourceOf(js)}`]))
    }
    expect(
      files.filter((file) => !/^(dist|src|docs|examples)\/|^(package\.json|[A-Z]+\.md|LICENSE)$/.test(file)),
    ).toEqual([])
    expect(files.filter((file) => /\.test(-d)?\./.test(file))).toEqual([])
  })
})

/** The packages that are loaded as soon as `entry` is imported. */
function packagesOf(entry: string, files: ReadonlyMap<string, string>): readonly string[] {
  const seen = new Set<string>()
  const packages = new Set<string>()
  const open = [entry]
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (seen.has(file)) continue
    seen.add(file)
    for (const { specifier, kind } of importsOf(files.get(file) ?? '')) {
      if (kind !== 'static' || specifier.startsWith('node:')) continue
      const target = resolveImport(file, specifier)
      if (target === undefined) packages.add(/^(@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier)
      else open.push(target)
    }
  }
  return [...packages].toSorted()
}

/** npm 11 prints a list of packages, npm 12 an object by name. */
function packedFiles(json: string): readonly string[] {
  const packages = Object.values(JSON.parse(json) as Record<string, { files: { path: string }[] }>)
  return packages.flatMap((packed) => packed.files.map((file) => file.path))
}
