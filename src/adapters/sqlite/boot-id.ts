import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'
import type { Database } from './database.ts'

/** Where the system has no id: two starts are taken for one if the clock says they were this close, in milliseconds. */
const tolerance = 60_000

/** Names the present start of the machine. Its monotonic clock, and so every lease, counts from there. */
export function bootId(): string {
  if (process.platform === 'linux') return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return `started ${Math.round(Date.now() - uptime() * 1_000)}`
}

export function isSameBoot(a: string, b: string): boolean {
  if (a === b) return true
  const [from, to] = [a, b].map((id) => (id.startsWith('started ') ? Number(id.slice(8)) : Number.NaN)) as [
    number,
    number,
  ]
  return Math.abs(from - to) < tolerance
}

/** Leases of before a restart say nothing any more: all of them have run out. Within a write transaction. */
export function lapseOlderBoots(database: Database, boot: string): void {
  const stored = database.get<{ boot: string }>('SELECT boot FROM meta')!.boot
  if (isSameBoot(stored, boot)) return
  database.run(`UPDATE held SET lease = ${Number.MIN_SAFE_INTEGER}`)
  database.run('UPDATE meta SET boot = ?', boot)
}
