import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { millrace } from '../../src/index.ts'

/*
 * A process that handles numbers, for tests that kill it: `node consumer-process.ts URL QUEUE TOPIC MILLISECONDS`. Writes
 * a line for each start and each end of a handler, at once: what was written is known even of a process that was killed.
 */
const [url = '', queue = '', topic = '', ms = '0'] = process.argv.slice(2)
const app = millrace({ transport: url, logger: false })
app.queue(queue, { topics: [topic], concurrency: 8, lease: 6_000 }).on('*', async ({ data }) => {
  writeSync(1, `start ${String(data)}\n`)
  await sleep(Number(ms))
  writeSync(1, `end ${String(data)}\n`)
})
process.on('SIGTERM', () => void app.stop())
await app.start()
writeSync(1, 'ready\n')
