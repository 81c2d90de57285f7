import { buffer } from 'node:stream/consumers'
import type { Duration } from '../../clock/duration.ts'
import { messageOf } from '../../errors/millrace-error.ts'
import { delayIn } from '../../event/delay.ts'
import { EventRecord, headOf, type MillraceEvent } from '../../event/event.ts'
import { Payload, textOf } from '../../event/payload.ts'
import { withApp, type AppChoice } from '../app-of.ts'
import { exitCodes, typed, UsageError, type ExitCode } from '../exit-codes.ts'
import { print } from '../print.ts'

export interface PublishFlags {
  readonly key?: string
  readonly delay?: string
  readonly id?: string
}

/** `millrace publish`. The data travels byte for byte as it was given, not as JSON.parse and JSON.stringify would make it. */
export async function publish(
  choice: AppChoice,
  type: string,
  json: string | undefined,
  { key, delay, id }: PublishFlags,
): Promise<ExitCode> {
  const text = json === undefined ? undefined : checkedJson(json === '-' ? await standardInput() : json)
  const options = {
    ...(key !== undefined && { key }),
    ...(delay !== undefined && { delay: delay as Duration }),
    ...(id !== undefined && { id }),
  }
  const event = await withApp(choice, async (app) => {
    const made = await typed(() => app.publisher.make(type, undefined, options))
    await app.publish(text === undefined ? made : withText(made, text))
    return made
  })
  print(event.id)
  return exitCodes.ok
}

function withText(event: MillraceEvent, text: string): MillraceEvent {
  const { id, type, key } = event
  return new EventRecord(id, type, key, headOf(event), Payload.from(text, undefined), delayIn(event))
}

/** White space around it, such as the line end of `echo`, is not the data's. */
async function standardInput(): Promise<string> {
  const bytes = await buffer(process.stdin)
  return (await typed(() => textOf(bytes))).trim()
}

function checkedJson(text: string): string {
  try {
    JSON.parse(text)
    return text
  } catch (cause) {
    throw new UsageError(`The data is not JSON: ${messageOf(cause)}`, 'USAGE', { cause })
  }
}
