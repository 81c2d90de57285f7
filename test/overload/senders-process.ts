import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { endWithHarness } from '../chaos/harness-gone.ts'
import { Numbers } from './ledger.ts'
import { type as eventType } from './producers.ts'

/*
 * A process of HTTP senders who wait for an answer, but never because of one: after 503 they send on at once. Tells its
 * parent what became of each event, until that says that it is over.
 */
export interface SendersTask {
  readonly port: number
  /** Senders who send as fast as they can, so many events in a request. */
  readonly quick: number
  readonly batch: number
  /** Bytes of each event. */
  readonly bytes: number
  /** Senders of one event at a time, whose body takes `slowly` milliseconds. */
  readonly slow: number
  /** Senders whose body never ends. */
  readonly endless: number
}

/** What was found out since the last time. */
export interface Said {
  readonly taken: readonly number[]
  /** The connection ended without an answer. */
  readonly unsure: readonly number[]
  /** Events of requests that were answered with 503 and Retry-After. */
  readonly refused: number
  /** Any other answer. */
  readonly problems: readonly string[]
}

const slowly = 15_000
const parts = 30
const tellEvery = 50

endWithHarness()
const task = JSON.parse(process.argv[2] as string) as SendersTask
const agent = new Agent({ keepAlive: true })
const numbers = new Numbers()
const note = 'x'.repeat(task.bytes)
const over = new AbortController()
let said = nothing()

function nothing() {
  return { taken: [] as number[], unsure: [] as number[], refused: 0, problems: [] as string[] }
}

function tell(): void {
  process.send?.(said)
  said = nothing()
}

/** One request after the other, each written as `write` does it. */
async function sender(
  batch: number,
  write: (sending: ClientRequest, body: Buffer) => Promise<void>,
): Promise<void> {
  while (!over.signal.aborted) {
    const list = Array.from({ length: batch }, () => numbers.take())
    const body = Buffer.from(JSON.stringify(list.map(eventOf)))
    const answer = await post(body, write)
    if (answer?.statusCode === 202) said.taken.push(...list)
    else if (answer === undefined) said.unsure.push(...list)
    else {
      if (answer.statusCode === 503 && answer.headers['retry-after'] !== undefined)
        said.refused += list.length
      else said.problems.push(`answer ${answer.statusCode}`)
      for (const n of list) numbers.giveBack(n)
    }
  }
}

function eventOf(n: number): object {
  return { specversion: '1.0', id: String(n), source: '/senders', type: eventType, data: { n, note } }
}

/** The answer, or undefined if the connection ended without one. */
function post(
  body: Buffer,
  write: (sending: ClientRequest, body: Buffer) => Promise<void>,
): Promise<IncomingMessage | undefined> {
  return new Promise((resolve) => {
    const headers = {
      'content-type': 'application/cloudevents-batch+json',
      'content-length': body.length,
    }
    const sending = request({ port: task.port, method: 'POST', agent, headers })
    sending.on('response', (answer) => {
      resolve(answer)
      answer.on('error', () => {}).resume()
      // Who is refused in the middle of a body does not send the rest.
      if (!sending.writableEnded) sending.destroy()
    })
    // Without an answer, or after it.
    sending.on('error', () => resolve(undefined)).on('close', () => resolve(undefined))
    void write(sending, body)
  })
}

const atOnce = async (sending: ClientRequest, body: Buffer): Promise<void> => void sending.end(body)

const inParts = async (sending: ClientRequest, body: Buffer): Promise<void> => {
  const size = Math.ceil(body.length / parts)
  for (let from = 0; from < body.length; from += size) {
    if (sending.destroyed || sending.closed) return
    sending.write(body.subarray(from, from + size))
    await sleep(over.signal.aborted ? 1 : slowly / parts)
  }
  sending.end()
}

/** A byte each second, until the server has enough of it. */
async function endless(): Promise<void> {
  while (!over.signal.aborted) {
    await post(Buffer.alloc(2 ** 19, ' '), async (sending, body) => {
      over.signal.addEventListener('abort', () => sending.destroy(), { once: true })
      for (let at = 0; at < body.length && !sending.destroyed; at++) {
        sending.write(body.subarray(at, at + 1))
        await sleep(1_000)
      }
    })
  }
}

const telling = setInterval(tell, tellEvery)
process.on('message', () => over.abort())
await Promise.all([
  ...Array.from({ length: task.quick }, () => sender(task.batch, atOnce)),
  ...Array.from({ length: task.slow }, () => sender(1, inParts)),
  ...Array.from({ length: task.endless }, endless),
])
clearInterval(telling)
tell()
agent.destroy()
