import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Command, Line, WorkerSetup } from './protocol.ts'

// Beside this file, in whichever language this one is: TypeScript in the sources, JavaScript in the package.
const program = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)

/** A worker process as its case sees it. */
export class WorkerProcess {
  /** Everything it has said so far. */
  readonly lines: Line[] = []
  /** Its exit code, or the signal that ended it, when it is gone and everything it said is here. */
  readonly gone: Promise<number | string>
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #heard: () => void

  /** @param heard called after each line, and when it is gone */
  constructor(setup: WorkerSetup, heard: () => void) {
    this.#heard = heard
    const args = [fileURLToPath(program), JSON.stringify(setup)]
    this.#child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    // A worker that is killed while it is told something closes the pipe: that it is gone is known otherwise.
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

  /** The numbers of the events in the lines of one sort. */
  numbers(what: Line['what']): readonly number[] {
    return this.of(what).map(({ n = Number.NaN }) => n)
  }

  #hear(line: string): void {
    this.lines.push(JSON.parse(line) as Line)
    this.#heard()
  }
}
