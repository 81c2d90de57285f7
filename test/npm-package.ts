import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cached } from './cache.ts'

/**
 * A folder in whose `node_modules` this package is, installed into the cache when it is first asked for: for what only few
 * who work on the project ever need.
 */
export function npmPackage(name: string, version: string): Promise<string> {
  return cached(join('packages', `${name}-${version}`), async (fresh) => {
    // npm keeps scripts from running; these are those of the one package that was asked for.
    const options = [
      '--no-audit',
      '--no-fund',
      '--loglevel=error',
      '--ignore-scripts=false',
      '--prefix',
      fresh,
    ]
    await promisify(execFile)('npm', ['install', ...options, `${name}@${version}`], { cwd: fresh })
  })
}
