import { MultiBar } from 'cli-progress'
import type { Logger } from 'millrace'

/** Shows how far something is that has `total` steps: a bar if stderr is a terminal, else a line for every hundred. */
export interface Progress {
  begin(): void
  step(): void
  end(): void
  /** Lines for stderr, above the bar while there is one. */
  readonly logger: Logger
}

export function progress(total: number): Progress {
  return process.stderr.isTTY ? barOf(total) : linesOf(total)
}

function barOf(total: number): Progress {
  // A MultiBar, though there is one bar only: it can write lines above itself.
  const bars = new MultiBar({
    format: 'sending {bar} {value} of {total}',
    hideCursor: true,
    gracefulExit: false,
    stream: process.stderr,
  })
  let bar: ReturnType<MultiBar['create']> | undefined
  return {
    begin() {
      bar = bars.create(total, 0)
    },
    step: () => bar?.increment(),
    end() {
      bars.update() // writes the lines that it has not got to yet
      bars.stop()
      bar = undefined
    },
    logger: loggerOf((line) => (bar === undefined ? console.error(line) : bars.log(`${line}\n`))),
  }
}

function linesOf(total: number): Progress {
  let done = 0
  return {
    begin: () => undefined,
    step() {
      done++
      if (done % 100 === 0 || done === total) console.log(`sent ${done} of ${total}`)
    },
    end: () => undefined,
    logger: loggerOf((line) => console.error(line)),
  }
}

function loggerOf(write: (line: string) => void): Logger {
  const line = (...args: unknown[]): void => write(args.map(String).join(' '))
  return { debug: () => undefined, info: () => undefined, warn: line, error: line }
}
