import { existsSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/* What all processes know at once, as a file in the folder that they share. */

/** From now on every handler of the queue fails, in all processes. */
export function beginOutage(folder: string, queue: string): void {
  writeFileSync(outageFile(folder, queue), '')
}

export function endOutage(folder: string, queue: string): void {
  rmSync(outageFile(folder, queue))
}

export function isFailing(folder: string, queue: string): boolean {
  return existsSync(outageFile(folder, queue))
}

/** From now on the queue's handler does with the event as it should. */
export function cure(folder: string, queue: string, id: string): void {
  writeFileSync(cureFile(folder, queue, id), '')
}

export function isCured(folder: string, queue: string, id: string): boolean {
  return existsSync(cureFile(folder, queue, id))
}

/** From now on the code of the users takes all connections of the pools that they have given to their transports. */
export function beginExhaustion(folder: string): void {
  writeFileSync(exhaustionFile(folder), '')
}

export function endExhaustion(folder: string): void {
  rmSync(exhaustionFile(folder))
}

export function isExhausted(folder: string): boolean {
  return existsSync(exhaustionFile(folder))
}

function exhaustionFile(folder: string): string {
  return join(folder, 'exhaustion.mark')
}

function outageFile(folder: string, queue: string): string {
  return join(folder, `outage-${queue}.mark`)
}

function cureFile(folder: string, queue: string, id: string): string {
  return join(folder, `cure-${queue}-${id}.mark`)
}
