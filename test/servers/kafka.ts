import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cached } from '../cache.ts'
import { findJava } from './java.ts'
import { downloadJars, parseJars } from './maven.ts'
import type { ServerKind } from './server.ts'

/** Apache Kafka in KRaft mode: one process that is broker and controller. */
export const kafka: ServerKind = {
  name: 'kafka',
  ports: 2,

  async install() {
    const java = await findJava()
    return cached('servers/kafka-4.4.0', async (folder) => {
      await mkdir(join(folder, 'jars'))
      const list = await readFile(new URL('kafka-jars.sha256', import.meta.url), 'utf8')
      await downloadJars(parseJars(list), join(folder, 'jars'))
      await writeFile(join(folder, 'log4j2.properties'), logging)
      await format(java, folder, folder)
    })
  },

  async command({ installed, data, ports, clientPort }) {
    const storage = join(data, 'storage')
    if (!existsSync(storage)) await cp(join(installed, 'formatted'), storage, { recursive: true })
    return brokerCommand(data, settings(storage, ports, clientPort))
  },

  url: ([port]) => `kafka://127.0.0.1:${port}`,

  ready: ([port]) => coordinates(port as number),
}

/** The command of a broker with these settings. */
export async function brokerCommand(data: string, text: string): Promise<readonly [string, ...string[]]> {
  const properties = join(data, 'server.properties')
  await writeFile(properties, text)
  const options = javaOptions(await kafka.install())
  return [await findJava(), ...options, '-Xms128m', '-Xmx384m', 'kafka.Kafka', properties]
}

/** Resolves if the broker answers for the coordinator of a group, which is the last part of a broker to come up. */
export async function coordinates(port: number): Promise<void> {
  const { Admin } = await import('@platformatic/kafka')
  const admin = new Admin({
    clientId: 'ready',
    bootstrapBrokers: [`127.0.0.1:${port}`],
    retries: 0,
    connectTimeout: 1_000,
  })
  try {
    await admin.describeGroups({ groups: ['ready'] })
  } finally {
    await admin.close()
  }
}

/**
 * Makes the folder `formatted` in `folder`. Formatting takes a start of Java: done once per installation, then copied for
 * every server.
 */
export async function format(
  java: string,
  installed: string,
  folder: string,
  ...more: readonly string[]
): Promise<void> {
  const properties = join(folder, 'format.properties')
  await writeFile(properties, settings(join(folder, 'formatted'), [1, 2], 1))
  const clusterId = Buffer.from('millrace in test').toString('base64url')
  const tool = ['kafka.tools.StorageTool', 'format', '--cluster-id', clusterId, '--config', properties]
  await promisify(execFile)(java, [...javaOptions(installed), ...tool, ...more])
}

/** Tests start many brokers, each for seconds: Java is to compile fast. One that is measured runs for long, and is to be fast. */
const isTest = process.env['VITEST'] !== undefined

function javaOptions(installed: string): readonly string[] {
  return [
    '-XX:+UseSerialGC',
    ...(isTest ? ['-XX:TieredStopAtLevel=1'] : []),
    `-Dlog4j2.configurationFile=${join(installed, 'log4j2.properties')}`,
    '-cp',
    join(installed, 'jars', '*'),
  ]
}

/** What a broker is told. Lines that come after these win. */
export function settings(
  storage: string,
  [port, controllerPort]: readonly number[],
  clientPort: number,
): string {
  return `
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controllerPort}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=PLAINTEXT://127.0.0.1:${clientPort}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=${storage}
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
# A broker that comes back after a crash is let in when its old session has run out: 9 s by default.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
# Members of a group need not wait for each other, and a short session timeout is allowed: tests crash consumers.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=1000
group.consumer.min.heartbeat.interval.ms=500
# Little memory, few threads.
log.cleaner.dedupe.buffer.size=2097152
num.network.threads=2
num.io.threads=4
background.threads=2
`
}

const logging = `
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d] %p %m (%c)%n
rootLogger.level = WARN
rootLogger.appenderRef.console.ref = console
`
