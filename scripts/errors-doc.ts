// Writes docs/errors.md from the table of codes: npm run docs:errors
import { mkdirSync, writeFileSync } from 'node:fs'
import { errorCodes } from '../src/errors/codes.ts'

type ErrorTable = Readonly<Record<string, { readonly summary: string; readonly remedy: string }>>

/** docs/errors.md as it has to be: one heading, and so one anchor, for each code. */
export function errorsPage(table: ErrorTable): string {
  const sections = Object.entries(table).map(
    ([code, { summary, remedy }]) => `## ${code}\n\n${summary}\n\n**What to do:** ${remedy}\n`,
  )
  return `${head}\n${sections.join('\n')}`
}

const head = `# Errors

<!-- Made by \`npm run docs:errors\` from src/errors/codes.ts. Do not edit. -->

Every error and notice of millrace carries a stable \`code\`. Match on the code, never on the message:
messages may change in any release, a code keeps its meaning.

A notice is what is worth knowing and fails no call: it is logged, and given to whoever asked by \`app.onNotice(fn)\`.
`

if (import.meta.main) {
  const docs = new URL('../docs/', import.meta.url)
  mkdirSync(docs, { recursive: true })
  writeFileSync(new URL('errors.md', docs), errorsPage(errorCodes))
}
