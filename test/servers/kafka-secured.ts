import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { cached } from '../cache.ts'
import { findJava } from './java.ts'
import { brokerCommand, coordinates, format, kafka, settings } from './kafka.ts'
import type { ServerKind } from './server.ts'

const user = 'shop'
/** With all that has a meaning in URLs. */
const password = 'p@ss:w/r%d?#'
const keystorePassword = 'keystore'

/** A Kafka whose clients have to speak TLS and to log in: SASL with PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512. */
export const kafkaSecured: ServerKind = {
  name: 'kafka-secured',
  // Of its clients, of the controller, and one without TLS for the broker itself.
  ports: 3,

  async install() {
    const installed = await kafka.install()
    return cached('servers/kafka-4.4.0-secured', async (folder) => {
      const java = await findJava()
      await makeKeystore(java, folder)
      const scram = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
        '--add-scram',
        `${mechanism}=[name=${user},password=${password}]`,
      ])
      await format(java, installed, folder, ...scram)
    })
  },

  async command({ installed, data, ports }) {
    const storage = join(data, 'storage')
    if (!existsSync(storage)) await cp(join(installed, 'formatted'), storage, { recursive: true })
    return brokerCommand(data, settings(storage, ports, ports[0] as number) + secured(installed, ports))
  },

  url: ([port]) => `kafkas://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}`,

  ready: ([, , internalPort]) => coordinates(internalPort as number),
}

/** What its clients have to trust. */
export async function certificateOfKafka(): Promise<string> {
  return readFile(join(await kafkaSecured.install(), 'certificate.pem'), 'utf8')
}

/** The tool comes with Java. */
async function makeKeystore(java: string, folder: string): Promise<void> {
  const keytool = java === 'java' ? 'keytool' : join(dirname(java), 'keytool')
  const store = [
    '-keystore',
    join(folder, 'keystore.p12'),
    '-storetype',
    'PKCS12',
    '-storepass',
    keystorePassword,
  ]
  const run = (...options: readonly string[]) =>
    promisify(execFile)(keytool, [...options, '-alias', 'kafka', ...store])
  const names = 'SAN=ip:127.0.0.1,dns:localhost'
  const algorithm = ['-keyalg', 'EC', '-groupname', 'secp256r1', '-validity', '36500']
  await run('-genkeypair', '-dname', 'CN=localhost', '-ext', names, ...algorithm)
  await run('-exportcert', '-rfc', '-file', join(folder, 'certificate.pem'))
}

function secured(installed: string, [port, controllerPort, internalPort]: readonly number[]): string {
  const modules = 'org.apache.kafka.common.security'
  return `
listeners=CLIENTS://127.0.0.1:${port},INTERNAL://127.0.0.1:${internalPort},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=CLIENTS://127.0.0.1:${port},INTERNAL://127.0.0.1:${internalPort}
inter.broker.listener.name=INTERNAL
listener.security.protocol.map=CLIENTS:SASL_SSL,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT
ssl.keystore.type=PKCS12
ssl.keystore.location=${join(installed, 'keystore.p12')}
ssl.keystore.password=${keystorePassword}
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.clients.plain.sasl.jaas.config=${modules}.plain.PlainLoginModule required user_${user}="${password}";
listener.name.clients.scram-sha-256.sasl.jaas.config=${modules}.scram.ScramLoginModule required;
listener.name.clients.scram-sha-512.sasl.jaas.config=${modules}.scram.ScramLoginModule required;
`
}
