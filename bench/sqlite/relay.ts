import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sqlite } from '../../src/adapters/sqlite/index.ts'
import { relayRow, type OutboxFor } from '../relay.ts'

const inFile: OutboxFor = async (use) => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-'))
  try {
    await using outbox = sqlite(join(folder, 'outbox.db'))
    return await use(outbox)
  } finally {
    await rm(folder, { recursive: true })
  }
}

export const sqliteRelay = relayRow('sqlite', async () => ({
  settings: { durable: 'fsync' },
  outboxFor: inFile,
  async [Symbol.asyncDispose]() {},
}))
