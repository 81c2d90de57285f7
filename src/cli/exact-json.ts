/** What Node can do with JSON and the compiler does not know yet. */
interface SourceJson {
  parse(text: string, revive: (key: string, value: unknown, context: { source: string }) => unknown): unknown
  rawJSON(text: string): unknown
}
const json = JSON as unknown as SourceJson

/** JSON for printing again: each number keeps its digits, where JSON.parse would round 12345678901234567890. @throws SyntaxError */
export function exactJson(text: string): unknown {
  return json.parse(text, (_key, value, { source }) =>
    typeof value === 'number' ? json.rawJSON(source) : value,
  )
}
