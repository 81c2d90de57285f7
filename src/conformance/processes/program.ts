import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'

/** What a program says: a line of JSON on its standard output. */
interface Said {
  readonly what: string
}

/**
 * A process that a case runs: a program that gets its setup as its argument and commands as lines of its standard input, and says what
 * happens.
 */
export class Program<Line extends Said, Command extends string> {
  /** Everything it has said so far. */
  readonly lines: Line[] = []
  /** Its exit code, or the signal that ended it, when it is gone and everything it said is here. */
  readonly gone: Promise<number | string>
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #heard: () => void

  /** @param heard called after each line, and when it is gone */
  constructor(program: URL, setup: unknown, heard: () => void) {
    this.#heard = heard
    const args = [fileURLToPath(program), JSON.stringify(setup)]
    this.#child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    // A process that is killed while it is told something closes the pipe: that it is gone is known otherwise.
    this.#child.stdin.on('error', () => {})
    const lines = createInterface({ input: this.#child.stdout })
    lines.on('line', (line) => this.#hear(line))
    this.gone = Promise.all([once(this.#child, 'exit'), once(lines, 'close')]).then(([[code, signal]]) => {
      heard()
      return (code ?? signal) as number | string
    })
  }

  tell(command: Command): void {
    this.#child.stdin.write(`${command}\n`)
  }

  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child.kill(name)
  }

  /** Kills it, and resolves when it is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.gone
  }

  /** The lines of one sort. */
  of(what: Line['what']): readonly Line[] {
    return this.lines.filter((line) => line.what === what)
  }

  #hear(line: string): void {
    this.lines.push(JSON.parse(line) as Line)
    this.#heard()
  }
}

/** The program beside a module, in whichever language that is: TypeScript in the sources, JavaScript in the package. */
export function programBeside(module: string, name: string): URL {
  return new URL(`./${name}.${module.endsWith('.ts') ? 'ts' : 'js'}`, module)
}
