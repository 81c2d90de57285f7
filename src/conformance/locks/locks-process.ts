import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../clock/clock.ts'
import type { Lock } from '../../contract/locks.ts'
import { stepWallClock } from '../processes/wall-clock.ts'
import type { LocksLine, LocksModule, LocksProcessSetup } from './protocol.ts'

/* The program of a process; see protocol.ts. */

const setup = JSON.parse(process.argv[2] ?? '') as LocksProcessSetup
const { open } = (await import(setup.module)) as LocksModule
const locks = await open(setup.place, setup.name)
let held: Lock | undefined

function say(what: LocksLine['what'], token?: number): void {
  writeSync(1, `${JSON.stringify({ what, at: systemClock.monotonic(), token })}\n`)
}

async function take(): Promise<void> {
  const lock = await locks.acquire('the lock', { ttl: setup.ttl })
  // First, for it may be frozen as soon as it has said that it is in.
  lock.signal.addEventListener('abort', () => say('lost', lock.token))
  say('in', lock.token)
  held = lock
}

async function drop(): Promise<void> {
  if (held !== undefined && !held.signal.aborted) say('out', held.token)
  await held?.release()
}

async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await take()
    await sleep(i % 4)
    await drop()
  }
  await locks.close()
  say('end')
  process.stdin.destroy()
}

// Opened before it says so.
await (await locks.acquire(`start of ${process.pid}`)).release()
say('ready')
createInterface({ input: process.stdin }).on('line', (line) => {
  const [command, argument = '0'] = line.split(' ')
  if (command === 'step') stepWallClock(Number(argument))
  if (command === 'take') void take()
  if (command === 'drop') void drop()
  if (command === 'turns') void turns(Number(argument))
})
