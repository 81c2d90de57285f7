import { join } from 'node:path'
import { createServer, type ServerKind } from './server.ts'

/** A server that needs nothing but Node: it answers with what it was sent before, and keeps that in a file. */
export const echo: ServerKind = {
  name: 'echo',
  ports: 1,
  install: async () => '',
  command: async ({ data, ports: [port] }) => [
    process.execPath,
    '--eval',
    program,
    join(data, 'sent'),
    String(port),
  ],
  url: ([port]) => `http://127.0.0.1:${port}`,
  async ready(ports) {
    await fetch(echo.url(ports))
  },
}

const program = `
  const { appendFileSync, readFileSync } = require('node:fs')
  const [file, port] = process.argv.slice(1)
  console.log('echo listens on ' + port)
  require('node:http').createServer((request, response) => {
    appendFileSync(file, request.url.slice(1))
    response.end(readFileSync(file))
  }).listen(port, '127.0.0.1')
`

// As a program: starts one, says where it is, and stays until it is killed.
if (import.meta.main) {
  const server = await createServer(echo)
  await server.start()
  console.log(JSON.stringify({ url: server.url, log: server.log }))
  setInterval(() => {}, 60_000)
}
