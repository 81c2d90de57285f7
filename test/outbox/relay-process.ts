import { sqlite } from '../../src/adapters/sqlite/index.ts'
import { millrace } from '../../src/index.ts'

/** A process that relays, until it is killed: `relay-process.ts OUTBOX URL`. Says when it has begun. */
const [path = '', transport = ''] = process.argv.slice(2)
await millrace({ transport, outbox: sqlite(path), logger: false }).start()
process.stdout.write('relaying\n')
