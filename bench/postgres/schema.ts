import { Pool } from 'pg'
import { postgres } from '../../src/adapters/postgres/index.ts'
import type { QueueOptions, Transport } from '../../src/index.ts'
import { serverFor } from '../../test/servers/servers.ts'
import { appOn, type } from '../app.ts'
import { customerOf, order } from '../load.ts'
import type { Settings } from '../row.ts'

let last = 0

/** A server, and a pool of the bare client on it. */
export class Server implements AsyncDisposable {
  readonly url: string
  readonly pool: Pool

  private constructor(url: string) {
    this.url = url
    this.pool = new Pool({ connectionString: url, max: 8 })
  }

  /** The one that MILLRACE_TEST_POSTGRES_URL names, else one that ends with this process. */
  static async connect(): Promise<Server> {
    const found = await serverFor('postgres')
    if ('missing' in found) throw new Error(`No PostgreSQL to measure: ${found.missing}`)
    return new Server(found.url)
  }

  /** What decides speed and safety, as the server has it. */
  async settings(): Promise<Settings> {
    const names = ['server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'shared_buffers']
    const shown = await Promise.all(names.map((name) => this.pool.query(`SHOW ${name}`)))
    return Object.fromEntries(shown.map(({ rows: [row] }, n) => [names[n], Object.values(row as object)[0]]))
  }

  /** A schema as our adapter makes it, with the queue declared and nothing in it. */
  async makeSchema(options: QueueOptions = {}): Promise<BenchSchema> {
    const name = `bench_${process.pid}_${++last}`
    const app = appOn(this.transport(name), () => {}, options)
    await app.publish(type, order(0), { key: customerOf(0) })
    await app.stop()
    const { rows } = await this.pool.query(`SELECT * FROM ${name}.messages`)
    await this.pool.query(`TRUNCATE ${name}.messages`)
    return {
      name,
      server: this,
      sample: rows[0] as BenchSchema['sample'],
      [Symbol.asyncDispose]: async () => void (await this.pool.query(`DROP SCHEMA ${name} CASCADE`)),
    }
  }

  transport(schema: string): Transport {
    return postgres({ connectionString: this.url, schema })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool.end()
  }
}

export interface BenchSchema extends AsyncDisposable {
  readonly name: string
  readonly server: Server
  /** The row that one published event makes: what raw has to write, too. */
  readonly sample: {
    readonly queue: number
    readonly slot: number
    readonly type: string
    readonly head: string
  }
}
