import { writeSync } from 'node:fs'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { countUp } from './counting.ts'
import type { StoreLine, StoreModule, StoreProcessSetup } from './protocol.ts'

/* The program of a process; see protocol.ts. */

const setup = JSON.parse(process.argv[2] ?? '') as StoreProcessSetup
const { open } = (await import(setup.module)) as StoreModule
const store = await open(setup.place, setup.name)

function say(what: StoreLine['what'], n?: number): void {
  writeSync(1, `${JSON.stringify({ what, n })}\n`)
}

/** Opened and at work before it says so. */
await store.get('count')
say('ready')
await once(createInterface({ input: process.stdin }), 'line')
for (let n = 0; n < setup.times; n++) {
  if (setup.does === 'count') await countUp(store, 'count')
  else if (!(await store.put(String(n), String(process.pid), { ifAbsent: true })).stored) continue
  say('did', n)
}
await store.close()
say('end')
process.stdin.destroy()
