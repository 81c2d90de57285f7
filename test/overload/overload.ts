import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Path } from './path.ts'
import type { Result, SubjectTask } from './subject-process.ts'

const program = fileURLToPath(new URL('subject-process.ts', import.meta.url))

/** Overloads the path for so many milliseconds, in a process of its own. */
export async function overload(path: Path, url: string, ms: number): Promise<Result> {
  const task: SubjectTask = { path: path.name, url, ms }
  const child = fork(program, [JSON.stringify(task)], {
    execArgv: [`--max-old-space-size=${path.heap}`],
  })
  let result: Result | undefined
  child.on('message', (said: Result) => (result = said))
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  if (result === undefined) throw new Error(`${path.name}: its process ended with ${code ?? signal}`)
  return result
}
