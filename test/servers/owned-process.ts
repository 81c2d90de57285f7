// Runs a server for the process that forked this one:
// node owned-process.ts <data folder> <signal> <command> <argument>...
// Other signals come as messages. When the owner is gone, however it went, the channel to it closes: then the server is
// ended with that signal and its data removed, so that nothing outlives the tests.
import { spawn } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'

const [folder = '', discard = '', command = '', ...commandArguments] = process.argv.slice(2)
const patience = 10_000
const server = spawn(command, commandArguments, {
  // One that runs as another user may not be allowed where the tests are.
  cwd: folder,
  // Nobody writes to the pipe. The server's own processes inherit it, so it closes when the last of them is gone.
  stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
})
let owned = true

server.on('close', (code) => {
  if (!owned) rmSync(folder, { recursive: true, force: true })
  process.exit(code ?? 1)
})
process.on('message', (signal) => end(signal as NodeJS.Signals))
process.on('disconnect', () => {
  owned = false
  end(discard as NodeJS.Signals)
  setTimeout(() => end('SIGKILL'), patience)
})

/** What is killed cannot end its own processes. They go first, while it is halted: it must not react, nor they say why. */
function end(signal: NodeJS.Signals): void {
  if (signal === 'SIGKILL') {
    server.kill('SIGSTOP')
    for (const pid of processesOf(server.pid)) kill(pid)
  }
  server.kill(signal)
}

/** Known on Linux only. Elsewhere they end when they notice. */
function processesOf(pid: number | undefined): readonly number[] {
  const list = `/proc/${pid}/task/${pid}/children`
  return existsSync(list) ? readFileSync(list, 'utf8').split(' ').filter(Boolean).map(Number) : []
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch (error) {
    // It may have ended by itself.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
