import { expect } from 'vitest'
import type { Locks } from '../../contract/locks.ts'
import type { ModuleUnderTest } from '../module.ts'
import { Program, programBeside } from '../processes/program.ts'
import { Watch } from '../processes/watch.ts'
import { runOn, type Runnable } from '../run.ts'
import { newName } from '../time.ts'
import type { LocksUnderTest } from './bench.ts'
import type { LocksCommand, LocksLine, LocksModule, LocksProcessSetup } from './protocol.ts'

type LocksProcess = Program<LocksLine, LocksCommand>

/** One promise that only shows between processes. */
interface LocksProcessCase {
  readonly name: string
  run(bench: LocksProcesses): Promise<void>
}

const program = programBeside(import.meta.url, 'locks-process')
const hour = 3_600_000
/** What a machine that is busy may add to a time, in milliseconds. */
const slack = 2_000

/** What a case works with: processes that want the same lock. */
class LocksProcesses {
  readonly ttl: number
  readonly #locks: Locks
  readonly #setup: LocksProcessSetup
  readonly #watch: Watch<LocksProcess>

  private constructor(locks: Locks, setup: LocksProcessSetup, patience: number) {
    this.ttl = setup.ttl
    this.#locks = locks
    this.#setup = setup
    this.#watch = new Watch(patience)
  }

  static async open(
    { module, place }: ModuleUnderTest,
    { ttl = 1_000, patience = 30_000 }: LocksUnderTest,
  ): Promise<LocksProcesses> {
    const { open } = (await import(module.href)) as LocksModule
    const setup = { module: module.href, place: await place(), name: newName('locks'), ttl }
    return new LocksProcesses(await open(setup.place, setup.name), setup, patience)
  }

  async close(): Promise<void> {
    await Promise.all(this.#watch.processes.map((one) => one.kill()))
    await this.#locks.close()
  }

  /** Starts processes, and resolves when they listen. */
  async start(count: number): Promise<readonly LocksProcess[]> {
    const started = Array.from({ length: count }, () =>
      this.#watch.add((heard): LocksProcess => new Program(program, this.#setup, heard)),
    )
    const ready = (): boolean => started.every((one) => one.of('ready').length > 0)
    await this.until('processes to be ready', ready, ...started)
    return started
  }

  /** Two processes, of which the first holds the lock and the second waits for it. */
  async pair(): Promise<readonly [LocksProcess, LocksProcess]> {
    const [holder, waiter] = (await this.start(2)) as [LocksProcess, LocksProcess]
    holder.tell('take')
    await this.until('the lock to be taken', () => holder.of('in').length > 0, holder)
    waiter.tell('take')
    return [holder, waiter]
  }

  until(what: string, done: () => boolean, ...alive: readonly LocksProcess[]): Promise<void> {
    return this.#watch.until(what, done, ...alive)
  }

  /** Everything that was said, in the order of time. */
  get history(): readonly LocksLine[] {
    return this.#watch.processes.flatMap(({ lines }) => lines).toSorted((a, b) => a.at - b.at)
  }
}

/** Several processes that want one lock. */
const cases: readonly LocksProcessCase[] = [
  {
    name: '4 processes take turns: never two at once, each with a higher token than the one before',
    async run(bench) {
      const started = await bench.start(4)
      for (const one of started) one.tell('turns 25')
      expect(await Promise.all(started.map((one) => one.gone))).toEqual([0, 0, 0, 0])
      expectTurns(bench.history, 100)
    },
  },
  {
    name: 'a holder that was killed leaves the lock to others within its ttl',
    async run(bench) {
      const [holder, waiter] = await bench.pair()
      // Long enough to have been renewed.
      const since = performance.now()
      await bench.until('two ttls to pass', () => performance.now() - since > 2 * bench.ttl, holder, waiter)
      expect(waiter.of('in'), 'two have the lock').toEqual([])
      const died = performance.now()
      await holder.kill()
      await bench.until('the other to get it', () => waiter.of('in').length > 0, waiter)
      expect(performance.now() - died).toBeLessThan(bench.ttl + slack)
      expectTurns(bench.history, 2)
    },
  },
  {
    name: 'a process that was frozen for longer than the ttl has lost the lock, learns it, and harms nobody',
    async run(bench) {
      const [holder, waiter] = await bench.pair()
      holder.signal('SIGSTOP')
      await bench.until('the other to get it', () => waiter.of('in').length > 0, waiter)
      holder.signal('SIGCONT')
      await bench.until('the frozen one to learn it', () => holder.of('lost').length > 0, holder)
      holder.tell('drop')
      const [third] = (await bench.start(1)) as [LocksProcess]
      third.tell('take')
      const since = performance.now()
      await bench.until('two ttls to pass', () => performance.now() - since > 2 * bench.ttl, waiter, third)
      expect(third.of('in'), 'the release of the frozen one freed the lock of the other').toEqual([])
      expect(waiter.of('lost')).toEqual([])
      waiter.tell('drop')
      await bench.until('the third to get it', () => third.of('in').length > 0, third)
      const tokens = bench.history.flatMap(({ what, token }) => (what === 'in' ? [token!] : []))
      expect(tokens).toEqual(tokens.toSorted((a, b) => a - b))
    },
  },
  {
    name: 'a wall clock that is set by an hour, forth or back, moves no lock',
    async run(bench) {
      const [holder, waiter] = await bench.pair()
      for (const by of [hour, -2 * hour] as const) {
        for (const one of [holder, waiter]) one.tell(`step ${by}`)
        const since = performance.now()
        await bench.until('two ttls to pass', () => performance.now() - since > 2 * bench.ttl, holder, waiter)
        expect(waiter.of('in'), 'two have the lock').toEqual([])
        expect(holder.of('lost')).toEqual([])
      }
      await holder.kill()
      await bench.until('the other to get it', () => waiter.of('in').length > 0, waiter)
    },
  },
]

/** Expects so many turns, of which none begins before the one before has ended, where that was said. */
export function expectTurns(history: readonly LocksLine[], count: number): void {
  const inside: number[] = []
  const tokens: number[] = []
  for (const { what, token = Number.NaN } of history) {
    if (what === 'lost') expect.fail(`the holder of ${token} has lost it`)
    if (what === 'out') inside.splice(inside.indexOf(token), 1)
    if (what !== 'in') continue
    expect(token, 'a token that is not higher').toBeGreaterThan(tokens.at(-1) ?? -1)
    tokens.push(token)
    inside.push(token)
    // Whoever was killed has not said that he is out.
    if (inside.length > 1 && history.some((line) => line.what === 'out' && line.token === inside[0]))
      expect.fail(`${inside.join(' and ')} at once`)
  }
  expect(tokens).toHaveLength(count)
}

function onProcesses(one: LocksProcessCase): Runnable<LocksUnderTest> {
  const { name } = one
  const run: Runnable<LocksUnderTest>['run'] = async (under) => {
    const { processes } = under
    if (processes === undefined) return 'it was not said how processes open them'
    return await runOn(
      one,
      under,
      () => LocksProcesses.open(processes, under),
      () => undefined,
    )
  }
  return { name, run }
}

/** Several processes on one system. */
export const sharing: readonly Runnable<LocksUnderTest>[] = cases.map(onProcesses)
