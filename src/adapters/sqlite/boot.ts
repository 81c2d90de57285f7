import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'
import type { Clock } from '../../clock/clock.ts'
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

/** What time it is, in milliseconds; not rounded, for a wait that began in the middle of one would end early. */
export type Times = {
  /** Since 1970, as people count it. Can step. */
  readonly now: number
  /** Of the machine's clock that never steps, since its start. */
  readonly monotonic: number
  /** The same since 1970: never steps, but is off by as much as `now` has stepped since the start of the machine. */
  readonly steady: number
}

/** @param booted when the machine was started, in milliseconds since 1970, as the file has it */
export function timesOf(clock: Clock, booted: number): Times {
  const monotonic = clock.monotonic()
  return { now: clock.now(), monotonic, steady: booted + monotonic }
}

interface Boot {
  readonly boot: string
  readonly booted: number | null
}

/** Whether `rememberBoot` has nothing to do. */
export function isRemembered(database: Database, boot: string): boolean {
  const stored = database.get<Boot>('SELECT boot, booted FROM meta')!
  return isSameBoot(stored.boot, boot) && stored.booted !== null
}

/**
 * Leases of before a restart say nothing any more: all of them have run out. The steady clock begins at what `now` is at
 * this moment, for all processes until the next restart. Within a write transaction.
 */
export function rememberBoot(database: Database, boot: string, clock: Clock): void {
  if (isRemembered(database, boot)) return
  const stored = database.get<Boot>('SELECT boot, booted FROM meta')!
  if (!isSameBoot(stored.boot, boot)) database.run(`UPDATE held SET lease = ${Number.MIN_SAFE_INTEGER}`)
  const booted = Math.floor(clock.now() - clock.monotonic())
  database.run('UPDATE meta SET boot = ?, booted = ?', boot, booted)
}

/** When the machine was started, by the first process that opened the file since. */
export function bootedAt(database: Database): number {
  return database.get<{ booted: number }>('SELECT booted FROM meta')!.booted
}
