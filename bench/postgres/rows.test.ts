import { test } from 'vitest'
import { describeWithServer } from '../../test/servers/describe-with-server.ts'
import { tryRow } from '../try-row.ts'
import { postgresRows } from './rows.ts'

await describeWithServer('postgres', () => {
  test.for(postgresRows.map((row) => [row.name, row] as const))(
    '%s can be measured',
    { timeout: 60_000 },
    ([, row]) => tryRow(row),
  )
})
