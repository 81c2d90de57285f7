import { readFileSync } from 'node:fs'
import { cpus, loadavg, release, tmpdir, totalmem, type } from 'node:os'

/** What the figures were measured on: they mean nothing without it. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memory: string
  /** The file system of the folder for temporary files, where the databases of the benchmark lie. */
  readonly disk: string
  readonly os: string
  readonly versions: Readonly<Record<string, string>>
  /** The mean number of busy processes over the last minute, before the row began. */
  readonly load: number
}

export function thisMachine(): Machine {
  const { node, v8, sqlite = 'none' } = process.versions
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    disk: fileSystemOf(tmpdir()),
    os: `${type()} ${release()}`,
    versions: { node, v8, sqlite, '@platformatic/kafka': versionOf('@platformatic/kafka') },
    load: Math.round((loadavg()[0] ?? 0) * 100) / 100,
  }
}

function versionOf(name: string): string {
  const file = new URL(`../node_modules/${name}/package.json`, import.meta.url)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}

/** Linux only; elsewhere it is not known. */
function fileSystemOf(folder: string): string {
  try {
    const mounts = readFileSync('/proc/mounts', 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' '))
    const fitting = mounts.filter(([, point = '']) =>
      `${folder}/`.startsWith(point === '/' ? point : `${point}/`),
    )
    const [, , kind = 'unknown'] = fitting.toSorted(([, a = ''], [, b = '']) => b.length - a.length)[0] ?? []
    return kind
  } catch {
    return 'unknown'
  }
}
