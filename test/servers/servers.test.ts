import { execFile, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { root } from '../imports.ts'
import { cached } from '../cache.ts'
import { echo } from './echo.ts'
import { downloadJars, parseJars } from './maven.ts'
import { answerRun, askRun } from './per-run.ts'
import { createServer, ServerMissing } from './server.ts'
import { serverFor } from './servers.ts'

const textOf = async (url: string): Promise<string> => (await fetch(url)).text()

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-test-'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(folder, { recursive: true })
})

describe('a server', { timeout: 30_000 }, () => {
  test.each(['SIGTERM', 'SIGKILL'] as const)('comes back after %s where it was', async (signal) => {
    await using server = await createServer(echo)
    await server.start()
    expect(await textOf(`${server.url}/a`)).toBe('a')
    await server.stop(signal)
    await expect(textOf(server.url)).rejects.toThrow()
    await server.start()
    expect(await textOf(`${server.url}/b`)).toBe('ab')
  })

  test('says what it printed when it does not start', async () => {
    const broken = `console.error('no disk'); process.exitCode = 3`
    const command = async () => [process.execPath, '--eval', broken] as const
    await using server = await createServer({ ...echo, command })
    await expect(server.start()).rejects.toMatchObject({
      message: expect.stringContaining('no disk'),
      cause: { message: 'It ended with exit code 3.' },
    })
  })

  test('leaves nothing but its log when it is disposed', async () => {
    const server = await createServer(echo)
    await server.start()
    await server[Symbol.asyncDispose]()
    await expect(textOf(server.url)).rejects.toThrow()
    expect(existsSync(server.log.replace(/\.log$/, ''))).toBe(false)
    expect(await readFile(server.log, 'utf8')).toContain('echo listens')
  })

  test('does not outlive a killed owner, nor does its data', async () => {
    const program = fileURLToPath(new URL('echo.ts', import.meta.url))
    const owner = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = (await once(createInterface(owner.stdout), 'line')) as [string]
    const { url, log } = JSON.parse(line) as { readonly url: string; readonly log: string }
    const data = log.replace(/\.log$/, '')
    expect(await textOf(`${url}/a`)).toBe('a')
    expect(existsSync(data)).toBe(true)
    owner.kill('SIGKILL')
    await expect.poll(() => existsSync(data), { timeout: 10_000 }).toBe(false)
    await expect(textOf(url)).rejects.toThrow()
  })
})

describe('the cache', () => {
  beforeEach(() => vi.stubEnv('XDG_CACHE_HOME', folder))

  test('is filled once, also by two at the same time', async () => {
    const bothFill = Promise.withResolvers<void>()
    let filling = 0
    const fill = async (fresh: string): Promise<void> => {
      await writeFile(join(fresh, 'file'), 'whole')
      if (++filling === 2) bothFill.resolve()
      await bothFill.promise
    }
    const [one, other] = await Promise.all([cached('things/thing', fill), cached('things/thing', fill)])
    expect(one).toBe(other)
    expect(await cached('things/thing', () => Promise.reject(new Error('must not run')))).toBe(one)
    expect(await readFile(join(one, 'file'), 'utf8')).toBe('whole')
    expect(await readdir(join(one, '..'))).toEqual(['thing'])
  })

  test('keeps nothing of what could not be filled', async () => {
    const failing = cached('things/thing', async (fresh) => {
      await writeFile(join(fresh, 'file'), 'half')
      throw new Error('network gone')
    })
    await expect(failing).rejects.toThrow('network gone')
    expect(await readdir(join(folder, 'millrace', 'things'))).toEqual([])
  })
})

describe('downloads', () => {
  const bytes = Buffer.from('a jar')
  const sha256 = createHash('sha256').update(bytes).digest('hex')

  test('are written when their checksum is right, and refused otherwise', async () => {
    await using repository = await serveRepository({ '/org/a/1/a-1.jar': bytes })
    vi.stubEnv('MILLRACE_MAVEN_URL', repository.url)
    await downloadJars(parseJars(`# a list\n${sha256}  org/a/1/a-1.jar\n`), folder)
    expect(await readFile(join(folder, 'a-1.jar'))).toEqual(bytes)
    const wrong = downloadJars([{ path: 'org/a/1/a-1.jar', sha256: '0'.repeat(64) }], folder)
    await expect(wrong).rejects.toThrow(`sha256 ${sha256}`)
    await expect(wrong).rejects.not.toBeInstanceOf(ServerMissing)
  })

  test('say why they cannot be had', async () => {
    const repository = await serveRepository({})
    vi.stubEnv('MILLRACE_MAVEN_URL', repository.url)
    const jars = [{ path: 'org/a/1/a-1.jar', sha256 }]
    await expect(downloadJars(jars, folder)).rejects.toThrow(/a-1\.jar could not be downloaded: HTTP 404/)
    await repository[Symbol.asyncDispose]()
    await expect(downloadJars(jars, folder)).rejects.toThrow(/could not be downloaded: .*ECONNREFUSED/)
    await expect(downloadJars(jars, folder)).rejects.toBeInstanceOf(ServerMissing)
  })
})

test('a server that the environment names is taken as it is', async () => {
  vi.stubEnv('MILLRACE_TEST_KAFKA_URL', 'kafka://elsewhere:9092')
  expect(await serverFor('kafka')).toEqual({ url: 'kafka://elsewhere:9092' })
})

describe('one process of a run', () => {
  test('answers the others, with the reason if it fails', async () => {
    // This worker is itself part of a run; the stub brings its own answerer back.
    vi.stubEnv('MILLRACE_TEST_RUN_PORT', '')
    const stop = await answerRun(async (name) => {
      if (name === 'broken') throw new Error('it did not start')
      return { url: `${name}://here` }
    })
    expect(await askRun('kafka')).toEqual({ url: 'kafka://here' })
    await expect(askRun('broken')).rejects.toThrow('it did not start')
    await stop()
  })
})

describe('without Java', { timeout: 60_000 }, () => {
  const env = { ...process.env, JAVA_HOME: '/nowhere', MILLRACE_TEST_KAFKA_URL: '', MILLRACE_REQUIRE_ALL: '' }
  const runKafkaTests = (more: NodeJS.ProcessEnv) =>
    promisify(execFile)(
      process.execPath,
      [
        join('node_modules', 'vitest', 'vitest.mjs'),
        'run',
        'test/servers/kafka.test.ts',
        '--reporter=verbose',
      ],
      { cwd: root, env: { ...env, NO_COLOR: '1', ...more } },
    )

  test('tests are skipped by name and with the reason', async () => {
    const { stdout } = await runKafkaTests({})
    expect(stdout).toMatch(/↓ .*kafka \(skipped: Java is not installed .*\) > takes messages/)
    expect(stdout).not.toContain('✓')
  })

  test('they fail if everything is required', async () => {
    await expect(runKafkaTests({ MILLRACE_REQUIRE_ALL: '1' })).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Java is not installed'),
    })
  })
})

async function serveRepository(files: Readonly<Record<string, Uint8Array>>) {
  const server = createHttpServer(({ url = '' }, response) => {
    const file = files[url]
    response.writeHead(file ? 200 : 404).end(file)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}
