import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './imports.ts'

/** Code in a page, between two lines of backticks. */
export interface Block {
  /** What stands behind the backticks: `ts`, `sh`, or nothing. */
  readonly language: string
  /** The line of the page on which the code begins, from 1. */
  readonly line: number
  readonly code: string
}

export interface Page {
  readonly blocks: readonly Block[]
  /** The targets of its links, as written. */
  readonly links: readonly string[]
  /** What `#...` can name: its headings, as GitHub writes them. */
  readonly anchors: readonly string[]
}

const fence = /^\s*```(.*)$/

/** @throws Error if a block has no end */
export function parsePage(text: string): Page {
  const blocks: Block[] = []
  const prose: string[] = []
  let open: { language: string; line: number; code: string[] } | undefined
  for (const [index, line] of text.split('\n').entries()) {
    const mark = fence.exec(line)
    if (mark === null) (open?.code ?? prose).push(line)
    else if (open === undefined) open = { language: mark[1] ?? '', line: index + 2, code: [] }
    else {
      blocks.push({ ...open, code: `${open.code.join('\n')}\n` })
      open = undefined
    }
  }
  if (open !== undefined) throw new Error(`The block at line ${open.line} has no end`)
  return {
    blocks,
    links: [...prose.join('\n').matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1] ?? ''),
    anchors: prose.flatMap((line) => /^#+ (.+)$/.exec(line)?.[1] ?? []).map(anchorOf),
  }
}

/** The pages that users read, by their paths from the root. */
export function readPages(): ReadonlyMap<string, Page> {
  const docs = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name.replaceAll('\\', '/')}`)
  const paths = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', ...docs.toSorted()]
  return new Map(paths.map((path) => [path, parsePage(readFileSync(join(root, path), 'utf8'))]))
}

function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-')
}
