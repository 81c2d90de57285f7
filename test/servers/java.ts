import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ServerMissing } from './server.ts'

const oldest = 17

/** The `java` to run: that of JAVA_HOME, else the one on PATH. */
export async function findJava(): Promise<string> {
  const home = process.env['JAVA_HOME']
  const java = home ? join(home, 'bin', 'java') : 'java'
  const version = await versionOf(java)
  if (version === undefined) throw new ServerMissing(`Java is not installed (${remedy})`)
  if (version < oldest) throw new ServerMissing(`Java ${version} is too old (${remedy})`)
  return java
}

const remedy = `it takes version ${oldest} or newer; on Debian: apt-get install openjdk-17-jre-headless`

/** The major version, or undefined if `java` cannot be run. */
async function versionOf(java: string): Promise<number | undefined> {
  try {
    // It prints `openjdk version "17.0.15" 2025-04-15` to stderr.
    const { stderr } = await promisify(execFile)(java, ['-version'])
    return Number(/version "(\d+)/.exec(stderr)?.[1])
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
