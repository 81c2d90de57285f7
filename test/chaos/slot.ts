import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Happening } from './history.ts'
import type { Told } from './steps.ts'

/** A place that always has a process: when one has ended, the next one starts. */
export interface Slot {
  readonly name: string
  /** How long its process holds what it was handed out, in milliseconds, if it does nothing any more. */
  readonly lease: number
  /** A crash. */
  kill(): void
  /** In order. */
  stop(): void
  /** Stops it where it is for so long, as a machine does that swaps, or a debugger. */
  freeze(ms: number): Promise<void>
  /** Sets its wall clock by so many milliseconds. */
  step(ms: number): void
  /** Stops it in order, once and for all. Resolves when it is gone; if that takes longer than `patience`, it is overdue, and killed. */
  finish(patience: number): Promise<void>
}

export interface SlotParts {
  readonly name: string
  /** Its program, a file beside this one, and what it is told: the name of the process is added. */
  readonly program: string
  readonly task: object
  readonly lease: number
  readonly folder: string
  write(happening: Happening): void
}

/** Between the end of a process and the start of the next, in milliseconds. */
const gap = 200

export function slotOf({ name, program, task, lease, folder, write }: SlotParts): Slot {
  const script = fileURLToPath(new URL(program, import.meta.url))
  let generation = 0
  let current: string
  let child: ChildProcess
  let frozen: ChildProcess | undefined
  let restart: NodeJS.Timeout | undefined
  let finished = false

  function start(): void {
    const of = `${name}.${++generation}`
    const errors = openSync(join(folder, `${of}.err`), 'w')
    write({ what: 'spawned', of })
    current = of
    child = fork(script, [JSON.stringify({ ...task, folder, name: of, slot: name })], {
      // Ctrl-C in the terminal is not theirs, and they end when the channel says that the harness is gone.
      detached: true,
      execArgv: [],
      stdio: ['ignore', 'ignore', errors, 'ipc'],
    })
    child.channel?.unref()
    closeSync(errors)
    child.once('exit', (code, signal) => {
      write({ what: 'gone', of, code, signal })
      if (!finished) restart = setTimeout(start, gap)
    })
  }

  const isGone = (): boolean => child.exitCode !== null || child.signalCode !== null
  const kill = (): void => {
    if (isGone()) return
    write({ what: 'killed', of: current })
    child.kill('SIGKILL')
  }

  start()
  return {
    name,
    lease,
    kill,
    stop: () => void child.kill('SIGTERM'),
    async freeze(ms) {
      if (isGone() || frozen === child) return
      const [victim, of] = [child, current]
      frozen = victim
      write({ what: 'frozen', of })
      victim.kill('SIGSTOP')
      await sleep(ms)
      victim.kill('SIGCONT')
      write({ what: 'thawed', of })
      frozen = undefined
    },
    step(ms) {
      // It may be gone, or not listen yet.
      child.send({ step: ms } satisfies Told, () => undefined)
    },
    async finish(patience) {
      finished = true
      clearTimeout(restart)
      if (isGone()) return
      const gone = once(child, 'exit')
      child.kill('SIGTERM')
      const tooSlow = setTimeout(() => {
        write({ what: 'overdue', of: current })
        kill()
      }, patience)
      await gone
      clearTimeout(tooSlow)
    },
  }
}
