import type { Notice } from '../../contract/transport.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import type { Database } from './database.ts'

interface Settings {
  readonly version: string
  readonly number: number
  readonly encoding: string
  readonly isolation: string
  readonly weak: string | null
}

const oldest = 150_000

/** What a commit needs to survive a power cut; `synchronous_commit` waits in all of its other values. */
const settings = `
  SELECT current_setting('server_version') AS version, current_setting('server_version_num')::int AS number,
    current_setting('server_encoding') AS encoding,
    current_setting('default_transaction_isolation') AS isolation,
    (SELECT string_agg(name || '=off', ', ' ORDER BY name) FROM pg_settings
      WHERE name IN ('fsync', 'synchronous_commit', 'full_page_writes') AND setting = 'off') AS weak`

/** Tells how the server is set up to lose what it has taken, if it is. @throws MillraceError STORE_INCOMPATIBLE */
export async function checkServer(database: Database): Promise<Notice | undefined> {
  const { version, number, encoding, isolation, weak } = (await database.rows<Settings>(settings))[0]!
  const { where } = database
  if (number < oldest) {
    throw new MillraceError(
      'STORE_INCOMPATIBLE',
      `${where} is version ${version}; millrace needs 15 or newer`,
    )
  }
  if (encoding !== 'UTF8') {
    throw new MillraceError('STORE_INCOMPATIBLE', `${where} stores text as ${encoding}; millrace needs UTF8`)
  }
  // Two who want the same rows wait for each other, and then look anew. Elsewhere one of them fails instead.
  if (isolation !== 'read committed') {
    const message = `${where} begins transactions as '${isolation}' (default_transaction_isolation); millrace needs 'read committed'`
    throw new MillraceError(
      'STORE_INCOMPATIBLE',
      `${message}: ALTER ROLE ... SET default_transaction_isolation = 'read committed'`,
    )
  }
  if (weak === null) return undefined
  return {
    code: 'DURABILITY_WEAK',
    message: `${where} runs with ${weak}: a power cut can take back what was published`,
  }
}
