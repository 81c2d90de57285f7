import { readFileSync } from 'node:fs'
import { Command, InvalidArgumentError } from 'commander'
import type { AppChoice } from './app-of.ts'
import { list, purge, redrive, show } from './commands/dead.ts'
import { migrate, type MigrateFlags } from './commands/migrate.ts'
import { publish, type PublishFlags } from './commands/publish.ts'
import { queues } from './commands/queues.ts'
import { relay } from './commands/relay.ts'
import { run, type RunFlags } from './commands/run.ts'
import { UsageError, type ExitCode } from './exit-codes.ts'

const explanation = `
A first argument that ends in .ts, .mts, .js or .mjs is the module: its default export is the app.
The transport: --transport, else that of the module's app, else the environment variable MILLRACE_URL.
On a terminal the output is for people, elsewhere it is JSON, one line for each thing.

Exit codes: 0 done, 1 failed, 2 mistake in the command line, 3 transport not reached,
4 no such queue or dead letter, 130 ended by a second signal.`

/** The command line. An action gives its exit code to `end`. */
export function program(end: (code: ExitCode) => void): Command {
  const root = new Command('millrace')
    .description('Run event handlers, publish events, and look after queues and dead letters.')
    .version(version(), '--version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .configureHelp({ subcommandTerm: (command) => `${command.name()} ${command.usage()}` })
    .addHelpText('after', explanation)
    .exitOverride()
    .configureOutput({ outputError: () => undefined }) // reported with a code, as all errors

  withTransport(root.command('run').usage('<module> [options]'))
    .description('run the handlers of the app until SIGINT or SIGTERM, then let them finish')
    .option('--port <number>', 'take events over HTTP; 0: any free port', portOf)
    .option(
      '--host <address>',
      'listen there (default: 127.0.0.1, or all addresses if the app verifies senders)',
    )
    .action(async (args: string[], flags: Flags & RunFlags) => {
      const { choice } = read(args, flags, [])
      end(await run(choice, flags))
    })

  withTransport(root.command('relay').usage('<module> [options]'))
    .description(
      'send on what the app has published in transactions, and nothing else, until SIGINT or SIGTERM',
    )
    .action(async (args: string[], flags: Flags) => {
      const { choice } = read(args, flags, [])
      end(await relay(choice))
    })

  withTransport(root.command('publish').usage('[module] <type> [json | -] [options]'))
    .description('publish an event and print its id; the data is JSON and travels as written; -: from stdin')
    .option('--key <key>', 'events of one key are handled in their order by queues that ask for it')
    .option('--delay <duration>', "deliver later, by such as '5s', '10m' or '2h'")
    .option('--id <id>', 'default: a new one')
    .action(async (args: string[], flags: Flags & PublishFlags) => {
      const { choice, values } = read(args, flags, ['type'], 1)
      end(await publish(choice, values[0] as string, values[1], flags))
    })

  withTransport(root.command('queues').usage('[module] [options]'))
    .description('show how things stand in every queue')
    .action(async (args: string[], flags: Flags) => {
      const { choice } = read(args, flags, [])
      end(await queues(choice))
    })

  withTransport(root.command('migrate').usage('postgres [options]'))
    .description('make the tables of a database, or bring them forward')
    .option('--print', 'only print the SQL that makes them')
    .option('--schema <name>', 'default: that of the URL, else millrace')
    .action(async (args: string[], flags: MigrateFlags) => {
      end(await migrate(args, flags))
    })

  deadCommands(
    root.command('dead').usage('<command>').description('look into dead letters, redrive or delete them'),
    end,
  )
  return root
}

function deadCommands(dead: Command, end: (code: ExitCode) => void): void {
  withTransport(dead.command('list').usage('[module] <queue> [options]'))
    .description('list the dead letters of a queue, the oldest first')
    .action(async (args: string[], flags: Flags) => {
      const { choice, values } = read(args, flags, ['queue'])
      end(await list(choice, values[0] as string))
    })

  withTransport(dead.command('show').usage('[module] <queue> <id> [options]'))
    .description('show everything about one dead letter')
    .action(async (args: string[], flags: Flags) => {
      const { choice, values } = read(args, flags, ['queue', 'id'])
      end(await show(choice, values[0] as string, values[1] as string))
    })

  withTransport(dead.command('redrive').usage('[module] <queue> [id...] [options]'))
    .description('put dead letters back into their queue and print their number')
    .option('--all', 'all of the queue')
    .option('--yes', 'accepted, as by purge; redrive never asks')
    .action(async (args: string[], flags: Flags & { all?: true }) => {
      const { choice, values } = read(args, flags, ['queue'], Number.POSITIVE_INFINITY)
      end(await redrive(choice, values[0] as string, { ids: values.slice(1), all: flags.all === true }))
    })

  withTransport(dead.command('purge').usage('[module] <queue> [id...] [options]'))
    .description('delete dead letters and print their number')
    .option('--all', 'all of the queue')
    .option('--yes', 'do not ask before deleting all')
    .action(async (args: string[], flags: Flags & { all?: true; yes?: true }) => {
      const { choice, values } = read(args, flags, ['queue'], Number.POSITIVE_INFINITY)
      end(
        await purge(
          choice,
          values[0] as string,
          { ids: values.slice(1), all: flags.all === true },
          flags.yes === true,
        ),
      )
    })
}

interface Flags {
  readonly transport?: string
}

function withTransport(command: Command): Command {
  return command.argument('[arguments...]').option('--transport <url>', 'such as sqlite:shop.db')
}

/** Parts the module from the other arguments: `names` must be there, `more` of them may be. @throws UsageError */
function read(
  args: readonly string[],
  { transport }: Flags,
  names: readonly string[],
  more = 0,
): { choice: AppChoice; values: readonly string[] } {
  const module = /\.m?[tj]s$/.test(args[0] ?? '') ? args[0] : undefined
  const values = module === undefined ? args : args.slice(1)
  const missing = names[values.length]
  if (missing !== undefined) throw new UsageError(`The argument <${missing}> is missing`)
  const surplus = values[names.length + more]
  if (surplus !== undefined) throw new UsageError(`Unexpected argument '${surplus}'`)
  return { choice: { module, transport }, values }
}

function portOf(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (port <= 65_535) return port
  throw new InvalidArgumentError('A port is a number from 0 to 65535.')
}

function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
