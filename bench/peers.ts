import { execFile } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cached } from '../test/servers/cache.ts'

/**
 * Another library, for comparison only: installed into the cache when it is first asked for, so that nobody who works on
 * the project has to have it.
 */
export async function peer<T>(name: string, version: string): Promise<T> {
  const folder = await cached(`npm-${name}-${version}`, async (fresh) => {
    const options = ['--no-audit', '--no-fund', '--loglevel=error', '--prefix', fresh]
    await promisify(execFile)('npm', ['install', ...options, `${name}@${version}`], { cwd: fresh })
  })
  return createRequire(join(folder, 'index.js'))(name) as T
}
