import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { errorsPage } from '../scripts/errors-doc.ts'
import { errorCodes } from '../src/errors/codes.ts'

const page = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8')

describe('docs/errors.md', () => {
  test('lists exactly the codes of the table', () => {
    const listed = [...page.matchAll(/^## (\w+)$/gm)].map((match) => match[1])
    expect(listed).toEqual(Object.keys(errorCodes))
  })

  test('is what `npm run docs:errors` makes', () => {
    expect(page).toBe(errorsPage(errorCodes))
  })
})

describe('the table of codes', () => {
  test.each(Object.entries(errorCodes))(
    '%s says what it means and what to do',
    (code, { summary, remedy }) => {
      expect(code).toMatch(/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/)
      expect(summary).toMatch(/\S.*\.$/s)
      expect(remedy).toMatch(/\S.*\.$/s)
    },
  )
})
