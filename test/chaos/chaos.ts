import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { millrace, type App } from '../../src/index.ts'
import { transportFromUrl } from '../../src/url.ts'
import { check, type Judgement } from './checker/check.ts'
import type { ConsumerTask } from './consumer.ts'
import { historyOf, readHistories, type Entry, type Happening } from './history.ts'
import { intervene } from './interventions.ts'
import type { OperatorTask } from './operator.ts'
import { attempts } from './plan.ts'
import type { PublisherTask } from './publisher.ts'
import { outboxAsQueue, outboxEvidence, relayLease } from './outbox.ts'
import { queuesFor, type ChaosQueue } from './queues.ts'
import type { RelayTask } from './relay.ts'
import { slotOf, type Slot } from './slot.ts'
import type { ChaosSystem } from './systems/system.ts'

export interface Outcome extends Judgement {
  readonly seed: number
  readonly entries: readonly Entry[]
  /** Histories and what the processes printed; gone if there was nothing to complain of. */
  readonly folder: string
}

const consumerCount = 3
const publisherCount = 2
const relayCount = 2
const streamsEach = 4
/** How long queues may take to become empty when nothing disturbs them any more, and publishers to be done. */
const patience = 180_000

/** Makes chaos on the system for so many milliseconds, lets it come to rest, and judges what happened. */
export async function makeChaos(system: ChaosSystem, seed: number, ms: number): Promise<Outcome> {
  const folder = join(tmpdir(), `millrace-chaos-${system.name}-${seed}-${process.pid}`)
  await mkdir(folder)
  await using running = await system.start(folder)
  const outbox = running.outbox === undefined ? undefined : await transportFromUrl(running.outbox)
  await using observer = millrace({
    transport: running.url,
    ...(outbox && { outbox, relay: false }),
    logger: false,
  })
  await observer.queues() // the features are known from now on
  const { features } = observer.transport
  const queues = queuesFor(features)
  const write = historyOf(folder, 'harness')

  const common = { url: running.url, seed, hasPool: system.hasPool }
  const inTask = running.outbox === undefined ? {} : { outbox: running.outbox }
  const slot = (name: string, program: string, task: object, lease = system.lease): Slot =>
    slotOf({ name, program, task: { ...common, ...task }, lease, folder, write })

  const countsCrashes = features.attempts !== 'failures'
  const consumers = named('consumer', consumerCount).map((name) =>
    slot(name, 'consumer.ts', { queues, lease: system.lease, countsCrashes } satisfies Partial<ConsumerTask>),
  )
  await untilDeclared(observer, queues)
  const relays = named('relay', running.outbox === undefined ? 0 : relayCount).map((name) =>
    slot(name, 'relay.ts', { ...inTask, lease: system.lease } satisfies Partial<RelayTask>, relayLease),
  )
  const publishers = named('publisher', publisherCount).map((name, i) => {
    const streams = Array.from({ length: streamsEach }, (_, n) => i * streamsEach + n)
    return slot(name, 'publisher.ts', { ...inTask, streams } satisfies Partial<PublisherTask>)
  })
  const names = queues.map(({ name }) => name)
  const operator = slot('operator', 'operator.ts', { queues: names } satisfies Partial<OperatorTask>)

  const struck = [...consumers, ...relays]
  await intervene(
    { seed, system, running, consumers: struck, publishers, operator, queues: names, folder, write },
    ms,
  )
  await finish([...publishers, operator])
  const unsent = outbox && (await untilEmpty(observer, [outboxAsQueue]))
  await finish(relays)
  const left = unsent ?? (await untilEmpty(observer, queues))
  await finish(consumers)
  const all = outbox === undefined ? queues : [...queues, outboxAsQueue]
  for await (const letter of lettersOf(observer, all)) write(letter)

  const entries = readHistories(folder).toSorted((a, b) => a.at - b.at)
  const { violations, counts } = check({
    ...system,
    entries,
    queues,
    features,
    attempts,
    ...(outbox && { outbox: outboxEvidence(outbox.features) }),
  })
  if (violations.length === 0 && left === undefined) await rm(folder, { recursive: true })
  const found = left === undefined ? violations : [{ rule: 'rest', text: left, ids: [] }, ...violations]
  return { seed, entries, folder, counts, violations: found }
}

function named(what: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, i) => `${what}-${i + 1}`)
}

async function finish(slots: readonly Slot[]): Promise<void> {
  await Promise.all(slots.map((slot) => slot.finish(patience)))
}

/** Events are for queues that are there: what is published before reaches nobody. */
async function untilDeclared(app: App, queues: readonly ChaosQueue[]): Promise<void> {
  const end = performance.now() + patience
  for (;;) {
    const there = new Set((await app.queues()).map(({ name }) => name))
    if (queues.every(({ name }) => there.has(name))) return
    if (performance.now() > end) throw new Error('No consumer has started')
    await sleep(200)
  }
}

/** Gives what is left in the queues, in words, if they do not become empty. */
async function untilEmpty(app: App, queues: readonly ChaosQueue[]): Promise<string | undefined> {
  const names = new Set(queues.map(({ name }) => name))
  const end = performance.now() + patience
  for (;;) {
    const stats = (await app.queues()).filter(({ name }) => names.has(name))
    const left = stats.filter(
      ({ depth, inFlight, retrying, delayed }) => depth + inFlight + retrying + delayed > 0,
    )
    if (left.length === 0) return undefined
    if (performance.now() > end) return `The queues did not become empty: ${JSON.stringify(left)}`
    await sleep(500)
  }
}

async function* lettersOf(app: App, queues: readonly ChaosQueue[]): AsyncGenerator<Happening> {
  for (const { name: queue } of queues) {
    for await (const { event } of app.deadLetters(queue).list()) {
      if (event === undefined) throw new Error(`A dead letter of ${queue} cannot be decoded`)
      yield { what: 'letter', queue, id: event.id }
    }
  }
}
