import { Program, programBeside } from './program.ts'
import type { Command, Line, WorkerSetup } from './protocol.ts'

const program = programBeside(import.meta.url, 'worker')

/** A worker process as its case sees it. */
export class WorkerProcess extends Program<Line, Command> {
  /** @param heard called after each line, and when it is gone */
  constructor(setup: WorkerSetup, heard: () => void) {
    super(program, setup, heard)
  }

  /** The numbers of the events in the lines of one sort. */
  numbers(what: Line['what']): readonly number[] {
    return this.of(what).map(({ n = Number.NaN }) => n)
  }
}
