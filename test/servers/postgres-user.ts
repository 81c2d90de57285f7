// PostgreSQL and PgBouncer refuse to be run by root. There they run as the user that PostgreSQL's package makes.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const isRoot = process.getuid?.() === 0

/** The command that runs `program` as a user that it accepts. */
export function asPostgres(program: string, ...more: readonly string[]): readonly [string, ...string[]] {
  if (!isRoot) return [program, ...more]
  return ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups', program, ...more]
}

/** Makes that user the owner of a folder and of all that is in it. */
export async function giveToPostgres(folder: string): Promise<void> {
  if (isRoot) await promisify(execFile)('chown', ['-R', 'postgres:postgres', folder])
}
