import { expect } from 'vitest'
import { isMillraceError } from '../errors/millrace-error.ts'

/** Expects that it rejects with this code. */
export async function refused(call: Promise<unknown>, code: string): Promise<void> {
  const error: unknown = await call.then(
    () => 'nothing',
    (thrown: unknown) => thrown,
  )
  if (!isMillraceError(error, code)) expect.fail(`expected ${code}, got ${String(error)}`)
}
