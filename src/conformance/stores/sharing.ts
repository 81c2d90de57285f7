import { expect } from 'vitest'
import type { ModuleUnderTest } from '../module.ts'
import { Program, programBeside } from '../processes/program.ts'
import { Watch } from '../processes/watch.ts'
import { runOn, type Runnable } from '../run.ts'
import { newName } from '../time.ts'
import type { Store } from '../../contract/store.ts'
import { unlessAtomic, type StoreUnderTest } from './bench.ts'
import type { StoreLine, StoreModule, StoreProcessSetup } from './protocol.ts'

type StoreProcess = Program<StoreLine, 'go'>

/** One promise that only shows between processes. */
interface StoreProcessCase {
  readonly name: string
  run(bench: StoreProcesses): Promise<void>
}

const program = programBeside(import.meta.url, 'store-process')
const howMany = 4

/** What a case works with: processes on one store, and an instance of it here. */
class StoreProcesses {
  readonly store: Store
  readonly #setup: Omit<StoreProcessSetup, 'does' | 'times'>
  readonly #watch: Watch<StoreProcess>

  private constructor(store: Store, setup: Omit<StoreProcessSetup, 'does' | 'times'>, patience: number) {
    this.store = store
    this.#setup = setup
    this.#watch = new Watch(patience)
  }

  static async open(
    { module, place }: ModuleUnderTest,
    { patience = 30_000 }: StoreUnderTest,
  ): Promise<StoreProcesses> {
    const { open } = (await import(module.href)) as StoreModule
    const setup = { module: module.href, place: await place(), name: newName('store') }
    return new StoreProcesses(await open(setup.place, setup.name), setup, patience)
  }

  async close(): Promise<void> {
    await Promise.all(this.#watch.processes.map((one) => one.kill()))
    await this.store.close()
  }

  /** Starts processes that do the same at once. */
  async start(does: StoreProcessSetup['does'], times: number): Promise<readonly StoreProcess[]> {
    const setup = { ...this.#setup, does, times }
    const started = Array.from({ length: howMany }, () =>
      this.#watch.add((heard): StoreProcess => new Program(program, setup, heard)),
    )
    const ready = (): boolean => started.every((one) => one.of('ready').length > 0)
    await this.#watch.until('processes to be ready', ready, ...started)
    for (const one of started) one.tell('go')
    return started
  }

  until(what: string, done: () => boolean, ...alive: readonly StoreProcess[]): Promise<void> {
    return this.#watch.until(what, done, ...alive)
  }
}

/** Several processes on one store. */
const cases: readonly StoreProcessCase[] = [
  {
    name: `${howMany} processes that count up one entry lose no count`,
    async run(bench) {
      await bench.store.put('count', '0')
      const started = await bench.start('count', 50)
      expect(await Promise.all(started.map((one) => one.gone))).toEqual(started.map(() => 0))
      expect((await bench.store.get('count'))?.value).toBe(String(50 * howMany))
    },
  },
  {
    name: `${howMany} processes that put the same keys, if they are absent: each key is one's, and he is told`,
    async run(bench) {
      const started = await bench.start('claim', 100)
      expect(await Promise.all(started.map((one) => one.gone))).toEqual(started.map(() => 0))
      const won = started.flatMap((one) => one.of('did').map(({ n }) => n!))
      expect(won.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, n) => n))
    },
  },
  {
    name: 'what processes were told is stored is there after they were killed',
    async run(bench) {
      await bench.store.put('count', '0')
      const started = await bench.start('count', 1_000_000)
      const told = (): number => started.reduce((sum, one) => sum + one.of('did').length, 0)
      await bench.until('100 counts', () => told() >= 100, ...started)
      await Promise.all(started.map((one) => one.kill()))
      const { value } = (await bench.store.get('count'))!
      expect(Number(value)).toBeGreaterThanOrEqual(told())
      // One of each may have been stored and not told yet.
      expect(Number(value)).toBeLessThanOrEqual(told() + howMany)
    },
  },
]

function onProcesses(one: StoreProcessCase): Runnable<StoreUnderTest> {
  const { name } = one
  const run: Runnable<StoreUnderTest>['run'] = async (under) => {
    const { processes } = under
    if (processes === undefined) return 'it was not said how processes open it'
    return await runOn(
      one,
      under,
      () => StoreProcesses.open(processes, under),
      ({ store }) => unlessAtomic(store.features),
    )
  }
  return { name, run }
}

/** Several processes on one system. */
export const sharing: readonly Runnable<StoreUnderTest>[] = cases.map(onProcesses)
