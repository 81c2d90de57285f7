// Runs before `npm start` and `npm test`: installs and builds what is missing or out of date, else says nothing.
// It is what the machine's own Node runs in a fresh clone, so: plain JavaScript, no dependency, Node 18 or newer.
// What comes after it runs on the Node that this installs, because npm puts node_modules/.bin first on the path.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, buildIsCurrent } from './build.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const lock = join(root, 'package-lock.json')
const installed = join(root, 'node_modules', '.package-lock.json')

if (!installIsCurrent()) {
  const first = existsSync(join(root, 'node_modules')) ? '' : 'first run, '
  console.log(`Installing dependencies (${first}about 20 s)...`)
  exitUnlessZero(install())
}
if (!buildIsCurrent()) {
  console.log('Building...')
  exitUnlessZero(build())
}

/** True when node_modules holds what the lock file asks for. npm writes its own record of that last. */
function installIsCurrent() {
  if (!existsSync(installed)) return false
  if (!existsSync(join(root, 'node_modules', '.bin', 'node'))) return false
  if (!existsSync(lock)) return true
  const have = JSON.parse(readFileSync(installed, 'utf8')).packages
  return Object.entries(JSON.parse(readFileSync(lock, 'utf8')).packages).every(
    ([path, wanted]) =>
      path === '' || have[path]?.version === wanted.version || (wanted.optional && !have[path]),
  )
}

/** Installs what the lock file says; where `npm ci` refuses that file, `npm install` still gives a working tree. */
function install() {
  if (existsSync(lock)) {
    const { status, stderr } = npm('ci', 'pipe')
    if (status === 0) return 0
    const reason = String(stderr ?? '')
      .replaceAll('npm error', '')
      .trim()
      .split('\n', 3)
      .join(' ')
    console.error(`npm ci failed, trying npm install... (${reason})`)
  }
  const { status, error } = npm('install', 'inherit', '--no-save')
  if (error) console.error(`npm could not be started: ${error.message}`)
  return status ?? 1
}

function npm(command, stderr, ...more) {
  // npm must not run on the node that it is about to replace.
  const bin = join(root, 'node_modules', '.bin')
  const path = (process.env.PATH ?? '').split(delimiter).filter((entry) => resolve(entry) !== bin)
  // The one script that allowScripts lets run puts Node in place; a machine-wide ignore-scripts would leave it out.
  const options = ['--ignore-scripts=false', '--loglevel=error', '--no-audit', '--no-fund']
  return spawnSync('npm', [command, '--include=dev', ...options, ...more], {
    cwd: root,
    env: { ...process.env, PATH: path.join(delimiter) },
    shell: process.platform === 'win32',
    stdio: ['ignore', 'ignore', stderr],
  })
}

function exitUnlessZero(code) {
  if (code !== 0) process.exit(code)
}
