import { createRequire } from 'node:module'
import { join } from 'node:path'
import { npmPackage } from '../test/npm-package.ts'

/** Another library, for comparison only. */
export async function peer<T>(name: string, version: string): Promise<T> {
  return createRequire(join(await npmPackage(name, version), 'index.js'))(name) as T
}
