import { MillraceError } from '../errors/millrace-error.ts'
import { checkPattern, matches } from '../event/names.ts'

/** Remembered look-ups; a queue that takes whole topics may see any number of types. */
const remembered = 1_000

/** Finds the target of a type: the exact one, else that of the longest prefix, else that of `*`. */
export class Router<T> {
  readonly #targets = new Map<string, T>()
  readonly #found = new Map<string, T | undefined>()

  get patterns(): readonly string[] {
    return [...this.#targets.keys()]
  }

  get size(): number {
    return this.#targets.size
  }

  values(): IterableIterator<T> {
    return this.#targets.values()
  }

  /** @throws MillraceError INVALID_PATTERN, HANDLER_EXISTS */
  add(pattern: string, target: T, queue: string): void {
    if (this.#targets.has(checkPattern(pattern))) {
      throw new MillraceError('HANDLER_EXISTS', `The queue '${queue}' already has a handler for '${pattern}'`)
    }
    this.#targets.set(pattern, target)
    this.#found.clear()
  }

  find(type: string): T | undefined {
    const found = this.#found.get(type)
    if (found !== undefined || this.#found.has(type)) return found
    const fitting = this.patterns
      .filter((pattern) => matches(pattern, type))
      .toSorted((a, b) => specificity(b) - specificity(a))
    const target = fitting[0] === undefined ? undefined : this.#targets.get(fitting[0])
    if (this.#found.size >= remembered) this.#found.clear()
    this.#found.set(type, target)
    return target
  }
}

function specificity(pattern: string): number {
  if (pattern === '*') return 0
  return pattern.endsWith('.*') ? pattern.length : Number.MAX_SAFE_INTEGER
}
