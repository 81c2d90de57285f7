import { CommanderError } from 'commander'
import { isMillraceError } from '../errors/millrace-error.ts'
import { ModuleFailure } from './app-of.ts'
import { muteSqliteWarning } from './experimental-warning.ts'
import { exitCodeOf, exitCodes, UsageError, type ExitCode } from './exit-codes.ts'
import { program } from './program.ts'
import { report, say } from './report.ts'

/** Runs the command and ends the process: a module may hold on to things that would keep it alive. */
export async function start(args: readonly string[]): Promise<void> {
  muteSqliteWarning()
  process.stdout.on('error', endQuietly)
  const exitCode = await outcome(args)
  await new Promise((resolve) => process.stdout.write('', resolve))
  process.exit(exitCode)
}

/** The reader of our output has seen enough, as in `millrace queues | head -1`. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
  process.exit(exitCodes.ok)
}

async function outcome(args: readonly string[]): Promise<ExitCode> {
  let exitCode: ExitCode = exitCodes.ok
  const command = program((code) => (exitCode = code))
  try {
    await command.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return exitCodes.ok // it was asked for help or the version
      if (error.code === 'commander.help') return exitCodes.usage // called without a command, it has shown the help
    }
    const failure = error instanceof CommanderError ? usageOf(error) : error
    if (failure instanceof ModuleFailure) return reportModule(failure)
    report(failure)
    return exitCodeOf(failure)
  }
}

/** Shows where in the user's code it was. */
function reportModule(failure: ModuleFailure): ExitCode {
  const { cause } = failure
  if (!isMillraceError(cause)) {
    report(failure)
    throw cause // Node shows it best: with its line, even if the module could not be parsed
  }
  report(cause)
  say(cause.stack?.match(/^ +at .*$/gm)?.join('\n') ?? '')
  return exitCodeOf(cause)
}

function usageOf(error: CommanderError): UsageError {
  return new UsageError(error.message.replace(/^error: /, '').replaceAll('\n', ' '))
}
