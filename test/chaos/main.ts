import { randomInt } from 'node:crypto'
import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import { makeChaos } from './chaos.ts'
import { reportOf } from './report.ts'
import { kafka } from './systems/kafka.ts'
import { outbox } from './systems/outbox.ts'
import { postgres } from './systems/postgres.ts'
import { sqlite } from './systems/sqlite.ts'
import type { ChaosSystem } from './systems/system.ts'

const systems: Readonly<Record<string, ChaosSystem>> = { kafka, outbox, postgres, sqlite }

function number(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0)) throw new InvalidArgumentError('Expected a number.')
  return value
}

interface Options {
  readonly seed: number
  readonly minutes: number
}

await new Command('chaos')
  .description(
    'Kills publishers, consumers and servers at random, and proves from their histories that nothing was lost.',
  )
  .addArgument(new Argument('<system>').choices(Object.keys(systems)))
  .addOption(new Option('--seed <number>', 'the same seed makes the same plan').argParser(number))
  .option('--minutes <number>', 'for how long; then everything comes to rest', number, 1)
  .action(
    async (
      name: string,
      { seed = randomInt(2 ** 31), minutes }: Partial<Options> & Pick<Options, 'minutes'>,
    ) => {
      console.log(`chaos on ${name} for ${minutes} min, seed ${seed}`)
      const outcome = await makeChaos(systems[name] as ChaosSystem, seed, minutes * 60_000)
      console.log(reportOf(name, outcome))
      process.exitCode = outcome.violations.length > 0 ? 1 : 0
    },
  )
  .parseAsync()
