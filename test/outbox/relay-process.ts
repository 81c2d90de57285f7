import { postgres } from '../../src/adapters/postgres/index.ts'
import { sqlite } from '../../src/adapters/sqlite/index.ts'
import { millrace, type Transport } from '../../src/index.ts'

/** A process that relays, until it is killed: `relay-process.ts OUTBOX URL`. Says when it has begun. */
const [place = '', transport = ''] = process.argv.slice(2)
const outbox: Transport = place.startsWith('postgres:') ? postgres(place) : sqlite(place)
await millrace({ transport, outbox, logger: false }).start()
process.stdout.write('relaying\n')
