import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { rawElements, rawMember } from './json-member.ts'

/** JSON text of any value, with any white space that JSON allows between its tokens. */
const space = fc.stringMatching(/^[ \n\r\t]{0,3}$/)
const spacedJson = fc
  .tuple(fc.jsonValue({ maxDepth: 4 }), fc.infiniteStream(space))
  .map(([value, spaces]) => spaced(value, () => spaces.next().value ?? ''))

function spaced(value: unknown, gap: () => string): string {
  const around = (text: string): string => gap() + text + gap()
  if (Array.isArray(value)) return around(`[${value.map((v) => spaced(v, gap)).join(',') || gap()}]`)
  if (typeof value !== 'object' || value === null) return around(JSON.stringify(value))
  const members = Object.entries(value).map(
    ([name, v]) => `${around(JSON.stringify(name))}:${spaced(v, gap)}`,
  )
  return around(`{${members.join(',') || gap()}}`)
}

const same = (text: string | undefined, value: unknown): void => {
  expect(text).toBeDefined()
  expect(text).toBe(text?.trim())
  expect(JSON.parse(text as string)).toEqual(value)
}

describe('rawMember', () => {
  test('finds in any object what JSON.parse finds, without the space around it', () => {
    fc.assert(
      fc.property(spacedJson, (text) => {
        const value: unknown = JSON.parse(text)
        fc.pre(typeof value === 'object' && value !== null && !Array.isArray(value))
        for (const [name, member] of Object.entries(value as object)) same(rawMember(text, name), member)
        expect(rawMember(text, 'a name that is not there')).toBeUndefined()
      }),
      { numRuns: 500 },
    )
  })

  test.each([
    ['{"data":12345678901234567890}', '12345678901234567890'],
    ['{"data": {"b":1e400, "a":"\\u0041\\/"} }', '{"b":1e400, "a":"\\u0041\\/"}'],
    ['{"data":"a \\" } ] , \\\\"}', '"a \\" } ] , \\\\"'],
    ['{"d\\u0061ta":1}', '1'],
    ['{"data":1,"data":2}', '2'],
    ['{"other":{"data":1}}', undefined],
    ['{"other":"\\"data\\":1","data":-0}', '-0'],
    ['{"__proto__":1,"data":null}', 'null'],
    ['{}', undefined],
    [' { } ', undefined],
  ])('of %s', (text, member) => expect(rawMember(text, 'data')).toBe(member))
})

describe('rawElements', () => {
  test('of any array are as many as JSON.parse finds, and the same', () => {
    fc.assert(
      fc.property(spacedJson, (text) => {
        const value: unknown = JSON.parse(text)
        fc.pre(Array.isArray(value))
        const elements = rawElements(text)
        expect(elements).toHaveLength((value as unknown[]).length)
        for (const [i, element] of (value as unknown[]).entries()) same(elements[i], element)
      }),
      { numRuns: 500 },
    )
  })

  test('of an array keep their text', () => {
    expect(rawElements(' [ 12345678901234567890 , [1, [2]],"],[", {"a" : 1.0} ] ')).toEqual([
      '12345678901234567890',
      '[1, [2]]',
      '"],["',
      '{"a" : 1.0}',
    ])
    expect(rawElements('[]')).toEqual([])
  })
})
