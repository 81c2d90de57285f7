import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { root } from './imports.ts'

export interface Diagnostic {
  readonly line: number
  readonly text: string
}

export interface Compiled {
  readonly errors: readonly Diagnostic[]
  /** What the compiler printed. */
  readonly output: string
}

interface CompileOptions {
  readonly config?: object
  readonly flags?: readonly string[]
}

/** Compiles one file as a project of its own and gives what the compiler says of it. */
export function compile(source: string, options?: CompileOptions): Promise<Compiled> {
  return compileFiles({ 'main.ts': source }, options)
}

/**
 * Compiles files, given by their paths, as a project of their own. They lie in a folder three levels below the root, where
 * they find what the project has installed, and the project itself under its own name.
 */
export async function compileFiles(
  files: Readonly<Record<string, string>>,
  options: CompileOptions = {},
): Promise<Compiled> {
  const cache = join(root, 'node_modules', '.cache')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'compile-'))
  try {
    mkdirSync(join(folder, 'node_modules'))
    symlinkSync(root, join(folder, 'node_modules', 'millrace'), 'junction')
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true })
      writeFileSync(join(folder, path), text)
    }
    const sources = Object.keys(files).filter((path) => path.endsWith('.ts'))
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ ...options.config, files: sources }))
    const output = await tsc(['-p', folder, '--pretty', 'false', ...(options.flags ?? [])])
    return { errors: diagnosticsIn(output), output }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** The configuration of the project, for sources that import from src. */
export const asInProject = {
  extends: '../../../tsconfig.json',
  compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
  include: [],
}

/** The compiler's exit code only repeats whether there are errors. */
function tsc(args: readonly string[]): Promise<string> {
  const path = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  return new Promise((resolve) => {
    execFile(process.execPath, [path, ...args], { cwd: root, maxBuffer: 2 ** 26 }, (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    )
  })
}

/** An error begins with its place and goes on in lines that are indented. */
function diagnosticsIn(output: string): readonly Diagnostic[] {
  const found: { line: number; text: string }[] = []
  for (const line of output.split('\n')) {
    const begin = /^(?:\S.*\((\d+),\d+\): )?error TS\d+: /.exec(line)
    if (begin !== null) found.push({ line: Number(begin[1] ?? 0), text: line })
    else if (/^\s/.test(line) && found.length > 0) (found.at(-1) as { text: string }).text += `\n${line}`
  }
  return found
}
