import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ServerMissing } from './server.ts'

export interface Jar {
  /** Its path in a Maven repository. */
  readonly path: string
  readonly sha256: string
}

/** Reads a list in sha256sum's format; lines that begin with # are comments. */
export function parseJars(list: string): readonly Jar[] {
  return list
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const [sha256 = '', path = ''] = line.split('  ')
      return { path, sha256 }
    })
}

/** Downloads the jars into `folder`, from Maven Central or from the repository that MILLRACE_MAVEN_URL names. */
export async function downloadJars(jars: readonly Jar[], folder: string): Promise<void> {
  const repository = process.env['MILLRACE_MAVEN_URL'] ?? 'https://repo1.maven.org/maven2'
  const waiting = [...jars]
  const downloadNext = async (): Promise<void> => {
    for (let jar = waiting.pop(); jar !== undefined; jar = waiting.pop()) {
      await writeFile(join(folder, basename(jar.path)), await download(jar, repository))
    }
  }
  await Promise.all(Array.from({ length: 6 }, downloadNext))
}

async function download(jar: Jar, repository: string): Promise<Uint8Array> {
  const url = `${repository.replace(/\/$/, '')}/${jar.path}`
  const bytes = await fetchBytes(url)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  // Not a missing server: somebody has to look at this.
  if (sha256 !== jar.sha256) throw new Error(`${url} has sha256 ${sha256}, not ${jar.sha256}`)
  return bytes
}

async function fetchBytes(url: string): Promise<Uint8Array> {
  let reason: unknown
  try {
    const response = await fetch(url)
    if (response.ok) return new Uint8Array(await response.arrayBuffer())
    reason = `HTTP ${response.status}`
  } catch (error) {
    reason = error instanceof Error ? (error.cause ?? error) : error
  }
  throw new ServerMissing(`${url} could not be downloaded: ${String(reason)}`)
}
