/**
 * The text of one member of a JSON object, exactly as it stands there. `JSON.parse` would change it: big integers lose
 * digits, escapes and spacing are gone. `text` must be valid JSON of an object (parse it first); the last member of a
 * name wins, as in JSON.parse.
 */
export function rawMember(text: string, name: string): string | undefined {
  let found: string | undefined
  let at = skipSpace(text, text.indexOf('{') + 1)
  while (text[at] === '"') {
    const nameEnd = stringEnd(text, at)
    const start = skipSpace(text, skipSpace(text, nameEnd) + 1) // behind the colon
    const end = valueEnd(text, start)
    if (JSON.parse(text.slice(at, nameEnd)) === name) found = text.slice(start, end)
    at = skipSpace(text, end)
    if (text[at] === ',') at = skipSpace(text, at + 1)
  }
  return found
}

/** The texts of the elements of a JSON array. */
export function rawElements(text: string): string[] {
  const elements: string[] = []
  let at = skipSpace(text, text.indexOf('[') + 1)
  while (at < text.length && text[at] !== ']') {
    const end = valueEnd(text, at)
    elements.push(text.slice(at, end))
    at = skipSpace(text, end)
    if (text[at] === ',') at = skipSpace(text, at + 1)
  }
  return elements
}

function skipSpace(text: string, at: number): number {
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\t' || text[at] === '\r') at++
  return at
}

/** The index behind the closing quote of the string that begins at `at`. */
function stringEnd(text: string, at: number): number {
  // From quote to quote: most strings have no other, and large ones are passed over a hundred times as fast.
  for (let i = text.indexOf('"', at + 1); ; i = text.indexOf('"', i + 1)) {
    let escapes = 0
    while (text[i - 1 - escapes] === '\\') escapes++
    // Two in a row are a backslash of the text.
    if (escapes % 2 === 0) return i + 1
  }
}

function valueEnd(text: string, at: number): number {
  const first = text[at]
  if (first === '"') return stringEnd(text, at)
  if (first !== '{' && first !== '[') {
    let i = at
    while (i < text.length && !',]} \n\t\r'.includes(text[i] as string)) i++
    return i
  }
  let depth = 0
  for (let i = at; ;) {
    const c = text[i]
    if (c === '"') {
      i = stringEnd(text, i)
      continue
    }
    if (c === '{' || c === '[') depth++
    else if (c === '}' || c === ']') depth--
    i++
    if (depth === 0) return i
  }
}
