import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { featuresTable } from '../scripts/transport-matrix.ts'

const page = readFileSync(new URL('../docs/transports/matrix.md', import.meta.url), 'utf8')

test('docs/transports/matrix.md has the features as they are in the code', () => {
  expect(page, 'run `npm run docs:matrix`').toContain(featuresTable())
})

test('no promise is broken on that page', () => {
  expect(page).not.toContain('broken')
  expect(page.match(/\| kept \|/g)?.length ?? 0).toBeGreaterThan(100)
})
