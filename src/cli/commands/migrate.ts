import { postgres } from '../../adapters/postgres/index.ts'
import { migrationScript } from '../../adapters/postgres/migrate.ts'
import { optionsFromUrl } from '../../adapters/postgres/url.ts'
import { schemeOf } from '../../url.ts'
import { exitCodes, typed, UsageError, type ExitCode } from '../exit-codes.ts'
import { print } from '../print.ts'

export interface MigrateFlags {
  readonly print?: true
  readonly schema?: string
  readonly transport?: string
}

/** `millrace migrate` */
export async function migrate(
  [system, surplus]: readonly string[],
  { print: isPrinted, schema, transport }: MigrateFlags,
): Promise<ExitCode> {
  if (system !== 'postgres') throw new UsageError('What is to be migrated? Write millrace migrate postgres')
  if (surplus !== undefined) throw new UsageError(`Unexpected argument '${surplus}'`)
  if (isPrinted === true) print((await typed(async () => migrationScript(schema ?? 'millrace'))).trimEnd())
  else await make(transport ?? process.env['MILLRACE_URL'], schema)
  return exitCodes.ok
}

async function make(url: string | undefined, schema: string | undefined): Promise<void> {
  if (!url) throw new UsageError('Which database? Give --transport URL, set MILLRACE_URL, or add --print')
  const transport = await typed(async () => {
    if (!schemeOf(url).startsWith('postgres'))
      throw new UsageError('Only a database of Postgres has migrations')
    return postgres({ ...optionsFromUrl(url), migrate: 'auto', ...(schema !== undefined && { schema }) })
  })
  try {
    await transport.admin.queues()
  } finally {
    await transport.close()
  }
}
