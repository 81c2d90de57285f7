import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path/posix'
import { fileURLToPath } from 'node:url'

export interface Import {
  /** As written: `./x.ts`, `node:fs`, `zod`. */
  readonly specifier: string
  /** `import type` and `export type` vanish in the build; `import()` loads only when it is reached. */
  readonly kind: 'static' | 'type' | 'dynamic'
}

export const root = fileURLToPath(new URL('..', import.meta.url))

/** Every file under src, as `folder/file.ts`, with its text. */
export function readSources(): ReadonlyMap<string, string> {
  const names = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  const files = names.map((name) => name.replaceAll('\\', '/')).filter((name) => name.endsWith('.ts'))
  return new Map(files.toSorted().map((file) => [file, readFileSync(join(root, 'src', file), 'utf8')]))
}

export const isTest = (file: string): boolean => /\.test(-d)?\.ts$/.test(file)

const statement =
  /^[ \t]*(import|export)[ \t]+(type[ \t]+)?(?:[\w$*{},\s]+?[ \t\n]from[ \t]+)?(['"])([^'"\n]+)\3/gm
const call = /\bimport\(\s*(['"])([^'"\n]+)\1/g

/** The imports and re-exports of a file's text. Comments are taken out first. */
export function importsOf(text: string): readonly Import[] {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/^[ \t]*\/\/.*$/gm, '')
  return [
    ...[...code.matchAll(statement)].map((match): Import => ({
      specifier: match[4] ?? '',
      kind: match[2] ? 'type' : 'static',
    })),
    ...[...code.matchAll(call)].map((match): Import => ({ specifier: match[2] ?? '', kind: 'dynamic' })),
  ]
}

/** The file under src that a relative specifier means; undefined for packages. */
export function resolveImport(from: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? join(dirname(from), specifier) : undefined
}
