import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

// One process of a test run starts servers for all the others, so that they share them. It is the one that lives as
// long as the run, vitest's main process, and the others find it by this variable.
const variable = 'MILLRACE_TEST_RUN_PORT'

type Answer = { readonly found: unknown } | { readonly failed: string }

/** Answers the questions of this process's children. Returns how to end that. */
export async function answerRun(find: (name: string) => Promise<unknown>): Promise<() => Promise<void>> {
  const listener = createServer({ allowHalfOpen: true }, async (socket) => {
    // Not read to its end: Node 24.15 destroys a socket then that still has to answer. A name comes in one piece.
    const [name] = (await once(socket.setEncoding('utf8'), 'data')) as [string]
    const answer: Answer = await find(name).then(
      (found) => ({ found }),
      (error: unknown) => ({ failed: error instanceof Error ? error.message : String(error) }),
    )
    socket.end(JSON.stringify(answer))
  })
  await once(listener.listen(0, '127.0.0.1'), 'listening')
  process.env[variable] = String((listener.address() as AddressInfo).port)
  return async () => {
    delete process.env[variable]
    await once(listener.close(), 'close')
  }
}

/** True in the children of a process that answers. */
export function isPartOfRun(): boolean {
  return process.env[variable] !== undefined
}

export async function askRun(name: string): Promise<unknown> {
  const socket = connect(Number(process.env[variable]), '127.0.0.1')
  socket.end(name)
  const answer = JSON.parse(await text(socket)) as Answer
  if ('failed' in answer) throw new Error(answer.failed)
  return answer.found
}
