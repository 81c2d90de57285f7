import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { testProcesses } from '../../src/conformance/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-sqlite-processes-'))

afterAll(() => rm(folder, { recursive: true }))

testProcesses('sqlite', {
  module: new URL('./sqlite.ts', import.meta.url),
  place: () => join(folder, 'suite.db'),
})
