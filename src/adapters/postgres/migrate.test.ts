import { expect, test } from 'vitest'
import { event, handleAll, handOn, newSchema, open, spec } from '../../../test/postgres/database.ts'
import { describeWithServer } from '../../../test/servers/describe-with-server.ts'
import { quoted } from './database.ts'
import { migrationScript } from './migrate.ts'

await describeWithServer('postgres', (url) => {
  /** A role that may connect, and nothing else. */
  async function newRole(): Promise<{ role: string; roleUrl: string }> {
    const role = newSchema()
    await handOn(url).query(`CREATE ROLE ${role} LOGIN PASSWORD 'secret'`)
    const roleUrl = new URL(url)
    roleUrl.username = role
    roleUrl.password = 'secret'
    return { role, roleUrl: roleUrl.href }
  }

  /** Every column and index of a schema. */
  function shapeOf(schema: string): Promise<readonly unknown[]> {
    return handOn(url).query(
      `SELECT table_name, column_name, data_type, column_default, is_nullable, NULL AS index
       FROM information_schema.columns WHERE table_schema = $1
       UNION ALL SELECT tablename, NULL, NULL, NULL, NULL, replace(indexdef, $1, 'schema')
       FROM pg_indexes WHERE schemaname = $1 ORDER BY 1, 2, 6`,
      [schema],
    )
  }

  test('six instances that start at once make the tables once', async () => {
    const schema = newSchema()
    const six = Array.from({ length: 6 }, () => open(url, schema))
    const reports = await Promise.all(six.map((transport) => transport.declare([spec('mail')])))
    expect(reports.flatMap(({ created }) => created)).toEqual(['mail'])
    await six[0]!.publish([event(1)])
    expect(await handleAll(six[5]!, 'mail')).toHaveLength(1)
  })

  test.each(['my-app', 'Kunden Ä"öü', 'x"; DROP SCHEMA public CASCADE; --', 'a.b', '$1', '{messages}'])(
    'a schema may be called %s',
    async (name) => {
      const hand = handOn(url)
      await hand.query(`DROP SCHEMA IF EXISTS ${quoted(name)} CASCADE`)
      const transport = open(url, name)
      await transport.declare([spec('mail')])
      await transport.publish([event(1)])
      expect(await handleAll(transport, 'mail')).toHaveLength(1)
      await transport.close()
      expect(await hand.query('SELECT 1 FROM pg_namespace WHERE nspname = $1', [name])).toHaveLength(1)
      expect(await hand.query(`SELECT 1 FROM pg_namespace WHERE nspname = 'public'`)).toHaveLength(1)
      await hand.query(`DROP SCHEMA ${quoted(name)} CASCADE`)
    },
  )

  test.each(['', 'pg_millrace', 'ä'.repeat(32), 'a\u0000b'])('a schema cannot be called %j', (name) => {
    expect(() => open(url, name)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }))
  })

  test('an empty schema that is there already is filled', async () => {
    const schema = newSchema()
    await handOn(url).query(`CREATE SCHEMA ${schema}`)
    await open(url, schema).declare([spec('mail')])
    expect(await shapeOf(schema)).not.toEqual([])
  })

  test('a role that may not make the schema is told what somebody has to run', async () => {
    const { role, roleUrl } = await newRole()
    const transport = open(roleUrl, 'my-own')
    const sql = `CREATE SCHEMA "my-own" AUTHORIZATION "${role}";`
    await expect(transport.declare([])).rejects.toMatchObject({
      code: 'MIGRATION_NEEDED',
      message: expect.stringContaining(sql),
    })
    const hand = handOn(url)
    await hand.query(sql)
    await transport.declare([spec('mail')])
    await hand.query('DROP SCHEMA "my-own" CASCADE')
  })

  test('a role that may not make tables in the schema is told what somebody has to run', async () => {
    const { role, roleUrl } = await newRole()
    const schema = newSchema()
    const hand = handOn(url)
    await hand.query(`CREATE SCHEMA ${schema}`)
    const transport = open(roleUrl, schema)
    const sql = `GRANT USAGE, CREATE ON SCHEMA "${schema}" TO "${role}";`
    await expect(transport.publish([event(1)])).rejects.toMatchObject({
      code: 'MIGRATION_NEEDED',
      message: expect.stringContaining(sql),
      results: ['rejected'],
    })
    await hand.query(sql)
    await transport.declare([spec('mail')])
  })

  test('a role that may use the tables of another needs no right to make any', async () => {
    const { role, roleUrl } = await newRole()
    const schema = newSchema()
    const hand = handOn(url)
    await open(url, schema).declare([])
    await expect(open(roleUrl, schema).declare([])).rejects.toMatchObject({ code: 'STORE_READ_ONLY' })
    await hand.query(`GRANT USAGE ON SCHEMA ${schema} TO ${role};
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${role}`)
    const transport = open(roleUrl, schema)
    await transport.declare([spec('mail')])
    await transport.publish([event(1)])
    expect(await handleAll(transport, 'mail')).toHaveLength(1)
  })

  test('with `migrate: off` the tables must be there; what is printed makes the same ones', async () => {
    const [made, printed] = [newSchema(), newSchema()]
    const transport = open(url, printed, { migrate: 'off' })
    await expect(transport.declare([])).rejects.toMatchObject({ code: 'MIGRATION_NEEDED' })
    expect(await shapeOf(printed)).toEqual([])
    await handOn(url).query(migrationScript(printed))
    await transport.declare([spec('mail')])
    await open(url, made).declare([spec('mail')])
    expect(await shapeOf(printed)).toEqual(await shapeOf(made))
  })

  test('tables of a newer version are left alone', async () => {
    const schema = newSchema()
    await open(url, schema).declare([])
    await handOn(url).query(`UPDATE ${schema}.meta SET version = 99`)
    for (const migrate of ['auto', 'off'] as const) {
      await expect(open(url, schema, { migrate }).declare([])).rejects.toMatchObject({
        code: 'STORE_INCOMPATIBLE',
        message: expect.stringContaining('99'),
      })
    }
  })
})
