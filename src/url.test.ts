import { mkdtempSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { redacted, schemeOf, transportFromUrl } from './url.ts'

test.each([
  ['kafka://user:p@ss:word@host:9092/x', 'kafka://user:***@host:9092/x'],
  ['postgres://user:secret@host/db?sslmode=require', 'postgres://user:***@host/db?sslmode=require'],
  ['kafka://host:9092?saslPassword=hush&partitions=3', 'kafka://host:9092?saslPassword=***&partitions=3'],
  ['sqlite:/var/lib/a@b:c.db', 'sqlite:/var/lib/a@b:c.db'],
  ['kafka://host:9092', 'kafka://host:9092'],
])('%s is shown as %s', (url, shown) => {
  expect(redacted(url)).toBe(shown)
})

test('an unknown scheme is refused at once, and its password is not shown', () => {
  expect(() => schemeOf('mqtt://me:hush@host')).toThrow(
    expect.objectContaining({ code: 'UNKNOWN_TRANSPORT' }),
  )
  expect(() => schemeOf('mqtt://me:hush@host')).toThrow(/mqtt:\/\/me:\*\*\*@host/)
  expect(() => schemeOf('shop.db')).toThrow(/shop\.db/)
})

test('parameters of a sqlite URL are its options', async () => {
  const transport = await transportFromUrl('sqlite:shop.db?durability=process&retention=30d')
  expect(transport.features).toMatchObject({
    durable: 'process',
    retention: expect.stringContaining('30 d'),
  })
  const plain = await transportFromUrl('SQLite:shop.db')
  expect(plain.features).toMatchObject({ durable: 'fsync', retention: expect.stringContaining('7 d') })
})

test.each([
  ['sqlite:shop.db?durabilty=process', /'durabilty'/],
  ['sqlite:shop.db?retention=30d&password=hush', /'password'/],
  ['sqlite:shop.db?durability=none', /`durability`.*"none"/],
  ['sqlite:shop.db?retention=', /`retention`/],
  ['sqlite:shop.db?retention=soon', /`retention`.*"soon"/],
  ['sqlite:50%.db', /sqlite:50%\.db.*%25/],
  ['sqlite:%00', /`path`/],
  ['sqlite:', /No path/],
  ['sqlite:?durability=process', /No path/],
  ['sqlite://host/shop.db', /No path/],
])('%s is refused', async (url, message) => {
  const error: unknown = await transportFromUrl(url).catch((reason: unknown) => reason)
  expect(error).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringMatching(message) })
  expect(String(error)).not.toContain('hush')
})

test('a path with signs of URLs in it is written percent-encoded', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-url-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const transport = await transportFromUrl(`sqlite://${folder}/100%25%3F%20sure.db`)
  await transport.declare([])
  await transport.close()
  expect(readdirSync(folder)).toContain('100%? sure.db')
})
