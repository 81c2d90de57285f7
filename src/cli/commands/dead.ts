import { createInterface } from 'node:readline'
import { readable } from '../../clock/duration.ts'
import type { DeadLetter, DeadLetters } from '../../dead-letters.ts'
import { MillraceError } from '../../errors/millrace-error.ts'
import { withApp, type AppChoice } from '../app-of.ts'
import { exitCodes, UsageError, type ExitCode } from '../exit-codes.ts'
import { letterJson, letterText } from '../letter.ts'
import { oneLine, onTerminal, print, table, type Column } from '../print.ts'
import { say } from '../report.ts'

const columns: readonly Column[] = [
  { name: 'id' },
  { name: 'type' },
  { name: 'attempts', align: 'right' },
  { name: 'died' },
  { name: 'error' },
]

/** Which letters: those named, or all. */
export interface LetterChoice {
  readonly ids: readonly string[]
  readonly all: boolean
}

/** `millrace dead list` */
export function list(choice: AppChoice, queue: string): Promise<ExitCode> {
  return withApp(choice, async (app) => {
    const letters = app.deadLetters(queue).list()
    if (onTerminal) {
      const rows: (readonly string[])[] = []
      for await (const letter of letters) rows.push(cells(letter))
      print(rows.length === 0 ? `no dead letters in ${queue}` : table(columns, rows))
    } else for await (const letter of letters) print(letterJson(letter))
    return exitCodes.ok
  })
}

function cells({ id, event, attempts, deadAt, error }: DeadLetter): readonly string[] {
  const age = `${readable(Date.now() - deadAt.getTime())} ago`
  return [oneLine(id), event?.type ?? '?', String(attempts), age, oneLine(error.message)]
}

/** `millrace dead show` */
export function show(choice: AppChoice, queue: string, id: string): Promise<ExitCode> {
  return withApp(choice, async (app) => {
    const letter = await found(app.deadLetters(queue), queue, id)
    print(onTerminal ? letterText(letter, Date.now()) : letterJson(letter))
    return exitCodes.ok
  })
}

/** `millrace dead redrive` */
export async function redrive(choice: AppChoice, queue: string, which: LetterChoice): Promise<ExitCode> {
  checkChoice(which)
  return withApp(choice, async (app) => {
    const letters = app.deadLetters(queue)
    const ids = await chosen(letters, queue, which)
    print(String(await letters.redrive(ids)))
    return exitCodes.ok
  })
}

/** `millrace dead purge`: what is gone is gone, so all of it is not deleted without asking. */
export async function purge(
  choice: AppChoice,
  queue: string,
  which: LetterChoice,
  yes: boolean,
): Promise<ExitCode> {
  checkChoice(which)
  const ask = which.all && !yes
  if (ask && !process.stdin.isTTY) throw new UsageError('Without a terminal to ask on, --all needs --yes')
  return withApp(choice, async (app) => {
    const letters = app.deadLetters(queue)
    const ids = await chosen(letters, queue, which)
    if (ask && !(await confirmed(`Delete all dead letters of ${queue}? [y/N] `))) {
      say('Nothing was deleted.')
      return exitCodes.failure
    }
    print(String(await letters.purge(ids)))
    return exitCodes.ok
  })
}

function checkChoice({ ids, all }: LetterChoice): void {
  if (ids.length === 0 && !all) throw new UsageError('Which dead letters? Name their ids, or give --all')
  if (ids.length > 0 && all) throw new UsageError('Give ids or --all, not both')
}

/** Names that are wrong are found before anything is moved. Gives undefined for all. */
async function chosen(
  letters: DeadLetters,
  queue: string,
  { ids, all }: LetterChoice,
): Promise<readonly string[] | undefined> {
  if (all) return undefined
  for (const id of ids) await found(letters, queue, id)
  return ids
}

async function found(letters: DeadLetters, queue: string, id: string): Promise<DeadLetter> {
  const letter = await letters.get(id)
  if (letter !== undefined) return letter
  throw new MillraceError('DEAD_LETTER_NOT_FOUND', `The queue '${queue}' has no dead letter '${id}'`)
}

function confirmed(question: string): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  return new Promise((resolve) => {
    lines.once('close', () => resolve(false)) // Ctrl-C and Ctrl-D mean no
    lines.question(question, (answer) => {
      resolve(/^y(es)?$/i.test(answer.trim()))
      lines.close()
    })
  })
}
