import { mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Transport } from 'millrace'
import { sqlite } from 'millrace/sqlite'

/** Where the events are, and what the queues write. */
export interface Place {
  readonly transport: Transport | string
  readonly folder: string
}

/** What MILLRACE_URL says, else a file that stays from run to run: .millrace/github.db */
export function keptPlace(): Place {
  const folder = join('.millrace', 'github')
  mkdirSync(folder, { recursive: true })
  return { transport: process.env.MILLRACE_URL || sqlite(join('.millrace', 'github.db')), folder }
}

/** A fresh file in a folder of its own, which whoever asked for it removes. */
export function temporaryPlace(): Place {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-github-'))
  return { transport: sqlite(join(folder, 'github.db')), folder }
}
