import { spawn, type ChildProcessWithoutNullStreams, type SpawnOptionsWithoutStdio } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pathToFileURL } from 'node:url'
import { onTestFinished } from 'vitest'
import { root } from './imports.ts'

/** The command as it runs from the sources. */
export const main = join(root, 'src/cli/main.ts')

/** For modules that a test writes: where they import millrace from. */
export const millraceUrl = pathToFileURL(join(root, 'src/index.ts')).href

export interface Outcome {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

interface Surroundings {
  readonly input?: string | Uint8Array
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
}

/** Runs the command in a pipe until it ends. */
export function millrace(args: readonly string[], surroundings: Surroundings = {}): Promise<Outcome> {
  return outcomeOf([main, ...args], surroundings)
}

/** Runs Node until it ends. */
export async function outcomeOf(
  nodeArgs: readonly string[],
  { input, env, cwd }: Surroundings = {},
): Promise<Outcome> {
  const child = launch(process.execPath, nodeArgs, { env: environment(env), cwd })
  child.stdin.end(input)
  return ended(child)
}

/** Makes a terminal for a command; part of util-linux. */
const script = '/usr/bin/script'
export const noTerminal = !existsSync(script)

interface Terminal {
  readonly env?: Readonly<Record<string, string>>
  readonly answer?: { readonly to: string; readonly type: string }
}

/** Runs the command on a terminal 120 characters wide, and types an answer to its question. */
export function onTerminal(args: readonly string[], terminal: Terminal = {}): Promise<Outcome> {
  return nodeOnTerminal([main, ...args], terminal)
}

/** The same for any program of Node's. */
export async function nodeOnTerminal(
  nodeArgs: readonly string[],
  { env, answer }: Terminal = {},
): Promise<Outcome> {
  const command = [process.execPath, ...nodeArgs]
    .map((part) => `'${part.replaceAll("'", "'\\''")}'`)
    .join(' ')
  const child = launch(script, ['-qec', `stty cols 120; ${command}`, '/dev/null'], {
    env: environment({ TERM: 'xterm', ...env }),
  })
  let shown = ''
  child.stdout.on('data', (chunk: Buffer) => {
    shown += chunk.toString()
    if (answer === undefined || !shown.includes(answer.to)) return
    shown = ''
    child.stdin.write(answer.type)
  })
  const outcome = await ended(child)
  child.stdin.end()
  return outcome
}

/** A command that goes on until it is told to end. */
export interface Running {
  readonly child: ChildProcessWithoutNullStreams
  readonly outcome: Promise<Outcome>
  /** Resolves when this has been printed, to stdout or stderr. */
  printed(part: string): Promise<void>
  /** What has been printed so far, to either of them. */
  output(): string
}

export function start(args: readonly string[], surroundings: Surroundings = {}): Running {
  return startNode([main, ...args], surroundings)
}

/** The same for any program of Node's. */
export function startNode(nodeArgs: readonly string[], { env, cwd }: Surroundings = {}): Running {
  const child = launch(process.execPath, nodeArgs, { env: environment(env), cwd })
  let output = ''
  const waiting = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      for (const look of waiting) look()
    })
  }
  return {
    child,
    outcome: ended(child),
    output: () => output,
    printed: (part) =>
      new Promise((resolve, reject) => {
        const look = (): void => void (output.includes(part) && (waiting.delete(look), resolve()))
        waiting.add(look)
        child.once('close', () => reject(new Error(`It ended without printing ${part}:\n${output}`)))
        look()
      }),
  }
}

/** A folder for one test's files, gone when the test is over. */
export class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'millrace-cli-'))
  readonly url = `sqlite:${join(this.path, 'shop.db')}`

  /** Writes a file and gives its path. */
  write(name: string, content: string): string {
    writeFileSync(join(this.path, name), content)
    return join(this.path, name)
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

/** A process that does not outlive the test, also if the test fails. */
function launch(
  program: string,
  args: readonly string[],
  options: SpawnOptionsWithoutStdio,
): ChildProcessWithoutNullStreams {
  const child = spawn(program, args, options)
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

async function ended(child: ChildProcessWithoutNullStreams): Promise<Outcome> {
  const closed = once(child, 'close') as Promise<[number | null]>
  const [stdout, stderr, [exitCode]] = await Promise.all([text(child.stdout), text(child.stderr), closed])
  return { exitCode, stdout, stderr }
}

/** What of our own surroundings would change what the command does is left out. */
function environment(env: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const { PATH, HOME, NODE_COMPILE_CACHE } = process.env
  return { PATH, HOME, NODE_COMPILE_CACHE, ...env }
}
