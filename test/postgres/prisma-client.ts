import { execFile } from 'node:child_process'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { messageOf } from '../../src/errors/millrace-error.ts'
import { root } from '../imports.ts'
import { npmPackage } from '../npm-package.ts'

const command = (): Promise<string> => npmPackage('prisma', '7.10.1')

const schema = `
generator client {
  provider            = "prisma-client"
  output              = "./client"
  importFileExtension = "ts"
}
datasource db {
  provider = "postgresql"
}
model Order {
  id String @id
  @@map("orders")
}
`

/** Why no client can be generated; undefined if one can. The command that does it comes from npm the first time. */
export async function whyNoPrisma(): Promise<string | undefined> {
  try {
    await command()
    return undefined
  } catch (error) {
    return `prisma cannot be installed: ${messageOf(error)}`
  }
}

/** Makes a client of Prisma in a folder of its own, and gives that: `client/client.ts` in it is the module. */
export async function generatePrismaClient(): Promise<{ readonly folder: string } & AsyncDisposable> {
  const program = join(await command(), 'node_modules', 'prisma', 'build', 'index.js')
  const folder = await mkdtemp(join(tmpdir(), 'millrace-prisma-'))
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction')
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  await writeFile(join(folder, 'schema.prisma'), schema)
  await promisify(execFile)(process.execPath, [program, 'generate', '--schema', 'schema.prisma'], {
    cwd: folder,
    env: {
      ...process.env,
      // It is for migrations only, and would be loaded from elsewhere than the registry.
      PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
      CHECKPOINT_DISABLE: '1',
    },
  })
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) }
}
