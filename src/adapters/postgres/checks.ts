import { MillraceError } from '../../errors/millrace-error.ts'

/** Postgres cuts longer names off. */
const longestName = 63

/** @throws MillraceError INVALID_OPTION */
export function checkSchema(schema: string): void {
  const bytes = typeof schema === 'string' && !schema.includes('\u0000') ? Buffer.byteLength(schema) : 0
  if (bytes === 0 || bytes > longestName)
    throw invalid('schema', `a name of 1 to ${longestName} bytes`, schema)
  if (schema.startsWith('pg_')) throw invalid('schema', 'a name that Postgres has not reserved', schema)
}

export function invalid(option: string, expected: string, got: unknown): MillraceError {
  const shown = JSON.stringify(got) ?? String(got)
  return new MillraceError('INVALID_OPTION', `Expected \`${option}\` to be ${expected}, got ${shown}`)
}
