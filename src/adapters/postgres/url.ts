import { MillraceError } from '../../errors/millrace-error.ts'
import type { PostgresOptions } from './options.ts'

/** What stands in the URL for us. All else is for `pg`, such as `sslmode`. */
const ours = ['schema', 'retention', 'migrate', 'wake', 'pollInterval', 'max'] as const

/** No message shows any part of the URL that may be one of the password. @throws MillraceError INVALID_OPTION */
export function optionsFromUrl(text: string): PostgresOptions {
  let url: URL
  try {
    url = new URL(text)
  } catch (cause) {
    throw new MillraceError(
      'INVALID_OPTION',
      'Not a URL of Postgres. Write postgres://user:password@host:5432/database, and what has a meaning in URLs percent-encoded',
      { cause },
    )
  }
  const options: Partial<Record<(typeof ours)[number], string>> = {}
  for (const name of ours) {
    const value = url.searchParams.get(name)
    if (value === null) continue
    options[name] = value
    url.searchParams.delete(name)
  }
  const { max, ...others } = options
  // What the values may be, postgres() checks itself.
  return {
    ...(others as Omit<PostgresOptions, 'max'>),
    ...(max !== undefined && { max: Number(max) }),
    connectionString: url.href,
  }
}
