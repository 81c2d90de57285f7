import { describe, expect, test } from 'vitest'
import { millrace } from '../../test/command.ts'
import { handOn, newSchema, open, spec } from '../../test/postgres/database.ts'
import { describeWithServer } from '../../test/servers/describe-with-server.ts'

describe('millrace migrate', () => {
  test('--print: the SQL, for any name of a schema', async () => {
    const { exitCode, stdout, stderr } = await millrace([
      'migrate',
      'postgres',
      '--print',
      '--schema',
      'my-app',
    ])
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })
    expect(stdout).toMatch(/^BEGIN;\nCREATE SCHEMA IF NOT EXISTS "my-app";\n[^]*\nCOMMIT;\n$/)
    expect(stdout).toContain('CREATE TABLE "my-app".messages')
    expect(stdout).not.toMatch(/\{\w*\}/)
  })

  test.each([
    [['migrate'], 'What is to be migrated?'],
    [['migrate', 'sqlite'], 'What is to be migrated?'],
    [['migrate', 'postgres', 'more'], "Unexpected argument 'more'"],
    [['migrate', 'postgres'], 'Which database?'],
    [['migrate', 'postgres', '--transport', 'memory:'], 'Only a database of Postgres'],
    [['migrate', 'postgres', '--print', '--schema', ''], 'Expected `schema`'],
  ])('%j is a mistake', async (args, message) => {
    const { exitCode, stderr } = await millrace(args)
    expect(stderr).toContain(message)
    expect(exitCode).toBe(2)
  })
})

await describeWithServer('postgres', (url) => {
  test('makes the tables for apps that may not', async () => {
    const schema = newSchema()
    const result = await millrace([
      'migrate',
      'postgres',
      '--transport',
      `${url}?migrate=off`,
      '--schema',
      schema,
    ])
    expect(result).toMatchObject({ exitCode: 0, stdout: '', stderr: '' })
    await open(url, schema, { migrate: 'off' }).declare([spec('mail')])
    expect(await handOn(url).query(`SELECT name FROM ${schema}.queues`)).toEqual([{ name: 'mail' }])
  })

  test('where it is printed and run by hand, too', async () => {
    const schema = newSchema()
    const { stdout } = await millrace(['migrate', 'postgres', '--print', '--schema', schema])
    await handOn(url).query(stdout)
    await open(url, schema, { migrate: 'off' }).declare([spec('mail')])
  })
})
