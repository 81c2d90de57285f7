import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll } from 'vitest'
import { testTransport } from '../../conformance/index.ts'
import { sqlite } from './index.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-'))
const path = join(folder, 'suite.db')

afterAll(() => rm(folder, { recursive: true }))

testTransport('sqlite', {
  open: () => sqlite(path),
  reopen: () => sqlite(path),
  begin() {
    const transaction = new DatabaseSync(path)
    transaction.exec('BEGIN')
    const end = (how: string) => (): void => {
      transaction.exec(how)
      transaction.close()
    }
    return { transaction, commit: end('COMMIT'), rollback: end('ROLLBACK') }
  },
})
