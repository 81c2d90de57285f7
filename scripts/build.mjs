// Compiles src to dist. The new tree is made beside the old one and swapped in when it is whole, so that
// no stale file survives, a failed build leaves the last good one, and a running process never sees half of one.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const dist = join(root, 'dist')
// Outside dist, so that it is never published.
const stampFile = join(root, 'node_modules', '.cache', 'millrace-build')

/** True when dist was built from exactly the files that src holds now. */
export function buildIsCurrent() {
  if (!existsSync(dist) || !existsSync(stampFile)) return false
  return readFileSync(stampFile, 'utf8') === sourceStamp()
}

/** Builds, and returns the exit code of the compiler. */
export function build() {
  const stamp = sourceStamp()
  const fresh = join(root, `dist-${process.pid}`)
  const old = join(root, `dist-${process.pid}-old`)
  try {
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
    const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', fresh], {
      cwd: root,
      stdio: 'inherit',
    })
    if (status !== 0) return status ?? 1
    const command = join(fresh, 'cli', 'main.js')
    if (existsSync(command)) chmodSync(command, 0o755)
    if (existsSync(dist)) renameSync(dist, old)
    renameSync(fresh, dist)
    mkdirSync(dirname(stampFile), { recursive: true })
    writeFileSync(stampFile, stamp)
    return 0
  } finally {
    rmSync(fresh, { recursive: true, force: true })
    rmSync(old, { recursive: true, force: true })
  }
}

function sourceStamp() {
  const hash = createHash('sha256')
  for (const name of ['tsconfig.json', 'tsconfig.build.json']) hash.update(fileStamp(name))
  const names = existsSync(join(root, 'src')) ? readdirSync(join(root, 'src'), { recursive: true }) : []
  names.sort()
  for (const name of names) {
    if (name.endsWith('.ts') && !/\.test(-d)?\.ts$/.test(name)) hash.update(fileStamp(join('src', name)))
  }
  return hash.digest('hex')
}

function fileStamp(name) {
  const { mtimeMs, size } = statSync(join(root, name))
  return `${name} ${mtimeMs} ${size}\n`
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) process.exitCode = build()
