import { Argument, Command, InvalidArgumentError } from 'commander'
import { breachesOf } from './judge.ts'
import { overload } from './overload.ts'
import { paths } from './paths.ts'
import { reportOf } from './report.ts'
import { startSystem } from './systems.ts'

function number(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value > 0)) throw new InvalidArgumentError('Expected a number.')
  return value
}

await new Command('overload')
  .description(
    'Lets a producer be faster than its consumers, and shows that memory stays bounded and nothing is lost.',
  )
  .addArgument(
    new Argument('[path...]', 'all, if none is named').choices(paths.map(({ name }) => name)).default([]),
  )
  .option('--minutes <number>', 'for how long the producer of each path goes on', number, 5)
  .action(async (names: readonly string[], { minutes }: { readonly minutes: number }) => {
    for (const path of paths) {
      if (names.length > 0 && !names.includes(path.name)) continue
      await using system = await startSystem[path.system]()
      const result = await overload(path, system.url, minutes * 60_000)
      console.log(`${reportOf(path, result)}\n`)
      if (breachesOf(path, result).length > 0) process.exitCode = 1
    }
  })
  .parseAsync()
