// An order and its event are saved together, or neither is: `node main.ts`
import { once } from 'node:events'
import { DatabaseSync } from 'node:sqlite'
import { millrace } from 'millrace'
import { sqlite } from 'millrace/sqlite'

const app = millrace({ transport: process.env.MILLRACE_URL ?? 'sqlite:events.db', outbox: sqlite('shop.db') })
const thanked = new AbortController()

app.queue('mail').on('order.placed', (event) => {
  console.log(`thank you for ${(event.data as { orderId: string }).orderId}`)
  thanked.abort()
})
await app.start() // makes shop.db, beside whose tables the shop's own will stand

const db = new DatabaseSync('shop.db', { timeout: 5_000 })
db.exec(
  'DROP TABLE IF EXISTS orders; CREATE TABLE orders (id TEXT PRIMARY KEY, total REAL CHECK (total > 0)) STRICT',
)

async function place(orderId: string, total: number): Promise<void> {
  db.exec('BEGIN IMMEDIATE')
  try {
    await app.publish('order.placed', { orderId, total }, { transaction: db })
    db.prepare('INSERT INTO orders VALUES (?, ?)').run(orderId, total)
    db.exec('COMMIT')
    console.log(`saved ${orderId}`)
  } catch (error) {
    db.exec('ROLLBACK')
    console.log(`not saved ${orderId}: ${(error as Error).message}`)
  }
}

await place('6', -10)
await place('7', 10)
if (!thanked.signal.aborted) await once(thanked.signal, 'abort')
await app.stop()
db.close()
