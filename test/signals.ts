/** Something that a test waits for, and the value that comes with it. */
export interface Signal<T> {
  readonly come: Promise<T>
  give(value: T): void
}

export function signal<T = void>(): Signal<T> {
  let give!: (value: T) => void
  const come = new Promise<T>((resolve) => (give = resolve))
  return { come, give }
}

/** Resolves once as many turns of the event loop are over: enough for what needs no timer. */
export async function turns(n = 5): Promise<void> {
  for (let i = 0; i < n; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** A logger that keeps its lines, and the first line that contains a text. */
export function lines(): {
  log: string[]
  logger: Pick<Console, 'debug' | 'info' | 'warn' | 'error'>
  saying(text: string): Promise<string>
} {
  const log: string[] = []
  const waiting = new Set<() => void>()
  const at = (level: string) => (line: unknown) => {
    log.push(`${level} ${String(line)}`)
    for (const look of waiting) look()
  }
  return {
    log,
    logger: { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') },
    saying: (text) =>
      new Promise((resolve) => {
        const look = (): void => {
          const found = log.find((line) => line.includes(text))
          if (found === undefined) return
          waiting.delete(look)
          resolve(found)
        }
        waiting.add(look)
        look()
      }),
  }
}
