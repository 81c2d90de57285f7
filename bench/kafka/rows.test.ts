import { test } from 'vitest'
import { describeWithServer } from '../../test/servers/describe-with-server.ts'
import { tryRow } from '../try-row.ts'
import { kafkaRows } from './rows.ts'

await describeWithServer('kafka', () => {
  test.for(kafkaRows.map((row) => [row.name, row] as const))(
    '%s can be measured',
    { timeout: 60_000 },
    ([, row]) => tryRow(row),
  )
})
