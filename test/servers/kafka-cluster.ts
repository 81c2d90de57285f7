import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { brokerCommand, coordinates, kafka, settings } from './kafka.ts'
import { freePorts } from './ports.ts'
import { createServer, type Server, type ServerKind } from './server.ts'

interface Node {
  readonly id: number
  readonly port: number
  readonly controllerPort: number
}

/** Brokers that keep each other's records. */
export interface KafkaCluster extends AsyncDisposable {
  readonly url: string
  /** By their ids in Kafka. */
  readonly brokers: ReadonlyMap<number, Server>
  /** Resolves when all of them do their work. */
  start(): Promise<void>
}

/** Three brokers, each of which is a controller too: every record is on all of them, and counts when two have it. */
export async function kafkaCluster(): Promise<KafkaCluster> {
  const ports = await freePorts(6)
  const nodes = [0, 1, 2].map((i): Node => ({
    id: i + 1,
    port: ports[2 * i]!,
    controllerPort: ports[2 * i + 1]!,
  }))
  const voters = nodes.map(({ id, controllerPort }) => `${id}@127.0.0.1:${controllerPort}`).join(',')
  const brokers = new Map<number, Server>()
  for (const node of nodes) brokers.set(node.id, await createServer(kindOf(node, voters)))
  const each = async (work: (broker: Server) => PromiseLike<void>): Promise<void> => {
    await Promise.all([...brokers.values()].map(work))
  }
  return {
    url: `kafka://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    brokers,
    start: () => each((broker) => broker.start()),
    [Symbol.asyncDispose]: () => each((broker) => broker[Symbol.asyncDispose]()),
  }
}

function kindOf({ id, port, controllerPort }: Node, voters: string): ServerKind {
  return {
    name: `kafka-${id}-of-3`,
    // They have to know each other's before the first one starts.
    ports: 0,
    install: () => kafka.install(),
    async command({ installed, data }) {
      const storage = join(data, 'storage')
      if (!existsSync(storage)) {
        await cp(join(installed, 'formatted'), storage, { recursive: true })
        await becomeNode(id, join(storage, 'meta.properties'))
      }
      return brokerCommand(data, settings(storage, [port, controllerPort], port) + clustered(id, voters))
    },
    url: () => `kafka://127.0.0.1:${port}`,
    ready: () => coordinates(port),
  }
}

/** What was formatted for one broker is another one's. */
async function becomeNode(id: number, file: string): Promise<void> {
  const text = await readFile(file, 'utf8')
  const directory = randomBytes(16).toString('base64url')
  const changed = text.replace(/^node\.id=.*$/m, `node.id=${id}`)
  await writeFile(file, changed.replace(/^directory\.id=.*$/m, `directory.id=${directory}`))
}

function clustered(id: number, voters: string): string {
  return `
node.id=${id}
controller.quorum.voters=${voters}
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
controller.quorum.election.timeout.ms=500
controller.quorum.fetch.timeout.ms=1000
# A broker that is gone is out of the replicas in sync soon: 30 s by default.
replica.lag.time.max.ms=4000
`
}
