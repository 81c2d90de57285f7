import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'

/** Runs a module on the sources, and gives its exit code, or 'alive' if it still runs some time after it said `ready`. */
function life(source: string): Promise<number | null | 'alive'> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', source], {
    cwd: new URL('..', import.meta.url),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code))
    child.stdout.once('data', () => {
      const alive = setTimeout(() => {
        resolve('alive')
        child.kill('SIGKILL')
      }, 500)
      child.once('exit', () => clearTimeout(alive))
    })
  })
}

const setUp = `
  import { millrace } from './src/index.ts'
  const app = millrace({ transport: 'memory:' })
  app.queue('q').on('a.b', () => undefined)
`

test('a process that does nothing but consume stays alive', async () => {
  expect(await life(`${setUp} await app.start(); console.log('ready')`)).toBe('alive')
})

test.each([
  ['was stopped', `await app.start(); await app.publish('a.b', 1); await app.stop(); console.log('ready')`],
  ['only published', `await app.publish('a.b', 1); console.log('ready')`],
  [
    'was stopped though its handler never ends',
    `let run; const started = new Promise((resolve) => (run = resolve))
     app.queue('r').on('c.d', () => (run(), new Promise(() => undefined)))
     await app.start(); await app.publish('c.d', 1); await started; await app.stop({ timeout: 10 }); console.log('ready')`,
  ],
  ['failed to start', `app.queue('empty'); await app.start().catch(() => console.log('ready'))`],
])('a process that %s ends', async (_name, rest) => {
  expect(await life(`${setUp} ${rest}`)).toBe(0)
})

test.each(['publish("a.b", 1)', 'queues()'])(
  'a process waits for the answer of app.%s, though for now there is nothing but the wait for the next attempt',
  { timeout: 60_000 },
  async (call) => {
    const source = `
      import { millrace } from './src/index.ts'
      const app = millrace({ transport: 'kafka://127.0.0.1:1', logger: false })
      await app.${call}.catch(({ code }) => (process.exitCode = code === 'TRANSPORT_UNREACHABLE' ? 0 : 1))
    `
    expect(await life(source)).toBe(0)
  },
)
