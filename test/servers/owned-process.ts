// Runs a server for the process that forked this one: node owned-process.ts <data folder> <command> <argument>...
// Signals come as messages. When the owner is gone, however it went, the channel to it closes: then the server is
// killed and its data removed, so that nothing outlives the tests.
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'

const [folder = '', command = '', ...commandArguments] = process.argv.slice(2)
const server = spawn(command, commandArguments, { stdio: ['ignore', 'inherit', 'inherit'] })
let owned = true

server.on('exit', (code) => {
  if (!owned) rmSync(folder, { recursive: true, force: true })
  process.exit(code ?? 1)
})
process.on('message', (signal) => server.kill(signal as NodeJS.Signals))
process.on('disconnect', () => {
  owned = false
  server.kill('SIGKILL')
})
