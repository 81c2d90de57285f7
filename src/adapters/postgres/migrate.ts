import { isMillraceError, MillraceError } from '../../errors/millrace-error.ts'
import { checkSchema } from './checks.ts'
import { inSchema, quoted, type Database, type Runner } from './database.ts'
import { migrations } from './schema.ts'

export type Migrating = 'auto' | 'off'

const version = migrations.length

const lock = `SELECT pg_advisory_xact_lock(hashtextextended('millrace migrates ' || $1, 0))`
const schemaIs = 'SELECT 1 FROM pg_namespace WHERE nspname = $1'
const metaIs = `SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = 'meta'`

/**
 * Makes the tables, or brings those of an older version forward; one process at a time does it.
 * @throws MillraceError MIGRATION_NEEDED, STORE_INCOMPATIBLE
 */
export async function migrate(database: Database, migrating: Migrating): Promise<void> {
  // Mostly there is nothing to do, and nobody waits for a lock.
  const found = await versionOf(database, database)
  if (found === version) return
  if (migrating === 'off') throw needed(database, `has version ${found} of the tables, and not ${version}`)
  try {
    await database.transaction(async (runner) => {
      await runner.rows(lock, database.schema)
      const isThere = (await runner.rows(schemaIs, database.schema)).length > 0
      // Not IF NOT EXISTS alone: that needs the right to make it even if it is there.
      if (!isThere) await runner.script('CREATE SCHEMA {}')
      await runner.script(stepsFrom(await versionOf(database, runner)))
    })
  } catch (error) {
    if (!isMillraceError(error, 'STORE_READ_ONLY')) throw error
    throw needed(database, await grantFor(database), error)
  }
}

/** All that makes the tables in an empty schema, for people to run. @throws MillraceError INVALID_OPTION */
export function migrationScript(schema: string): string {
  checkSchema(schema)
  return inSchema(schema, `BEGIN;\nCREATE SCHEMA IF NOT EXISTS {};\n${stepsFrom(0)}COMMIT;\n`)
}

function stepsFrom(found: number): string {
  if (found === version) return ''
  return `${migrations.slice(found).join('')}\nUPDATE {meta} SET version = ${version};\n`
}

/** How many migrations the tables have seen; 0: there are none. @throws MillraceError STORE_INCOMPATIBLE, STORE_READ_ONLY */
async function versionOf(database: Database, runner: Runner): Promise<number> {
  if ((await runner.rows(metaIs, database.schema)).length === 0) return 0
  const [meta] = await runner.rows<{ version: number }>('SELECT version FROM {meta}')
  const found = meta?.version ?? 0
  if (found <= version) return found
  throw new MillraceError(
    'STORE_INCOMPATIBLE',
    `${nameOf(database)} has version ${found} of the tables; this version of millrace knows up to ${version}`,
  )
}

function needed(database: Database, why: string, cause?: unknown): MillraceError {
  return new MillraceError('MIGRATION_NEEDED', `${nameOf(database)} ${why}`, { cause })
}

/** What gives the role the right that it lacked. */
async function grantFor(database: Database): Promise<string> {
  const [found] = await database.rows<{ role: string; schema: boolean }>(
    'SELECT current_user AS role, EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1) AS schema',
    database.schema,
  )
  const [schema, role] = [quoted(database.schema), quoted(found!.role)]
  const grant = found!.schema
    ? `GRANT USAGE, CREATE ON SCHEMA ${schema} TO ${role};`
    : `CREATE SCHEMA ${schema} AUTHORIZATION ${role};`
  return `cannot be filled with tables by the role ${role}. Somebody who may has to run: ${grant}`
}

function nameOf({ where, schema }: Database): string {
  return `The schema ${quoted(schema)} of ${where}`
}
