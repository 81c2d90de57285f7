import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { muteSqliteWarning } from './experimental-warning.ts'

test('only that of SQLite is muted', async () => {
  const { emitWarning } = process
  onTestFinished(() => void (process.emitWarning = emitWarning))
  muteSqliteWarning()
  const first = once(process, 'warning')
  const sqlite = 'SQLite is an experimental feature and might change at any time'
  process.emitWarning(sqlite, 'ExperimentalWarning')
  process.emitWarning('something else', 'ExperimentalWarning')
  expect(await first).toMatchObject([{ name: 'ExperimentalWarning', message: 'something else' }])
})
