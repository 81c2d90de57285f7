import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { BenchFile } from './file.ts'
import type { Role } from './worker-process.ts'

const script = fileURLToPath(new URL('worker-process.ts', import.meta.url))

/** Another process on the file. Disposing kills it. */
export interface Worker extends AsyncDisposable {
  /** Sends a message; gives what comes next. */
  ask<T>(): Promise<T>
  onMessage(listen: (message: unknown) => void): void
}

/** Resolves when it is ready. */
export async function startWorker(role: Role, { path, sample, pragmas }: BenchFile): Promise<Worker> {
  const child = fork(script, [role, JSON.stringify({ path, sample, pragmas })], { execArgv: [] })
  const gone = once(child, 'exit')
  const ready = await Promise.race([once(child, 'message'), gone])
  if (ready[0] !== 'ready') throw new Error(`The worker '${role}' ended before it was ready`)
  return {
    async ask<T>() {
      const answer = once(child, 'message')
      child.send('go')
      return ((await answer) as [T])[0]
    },
    onMessage: (listen) => void child.on('message', listen),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await gone
    },
  }
}
