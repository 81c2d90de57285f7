/** A case that opens what it needs by itself. Rejects if it fails; resolves to the reason if it does not apply. */
export interface Runnable<UnderTest> {
  readonly name: string
  run(under: UnderTest): Promise<string | undefined>
}

interface OneCase<Bench> {
  readonly name: string
  run(bench: Bench): Promise<void>
}

interface Excuses {
  readonly skip?: readonly { readonly test: string; readonly reason: string }[]
}

/**
 * Runs a case on a bench of its own. Rejects if it fails; resolves to the reason if it does not apply.
 * @param unless why it does not apply
 */
export async function runOn<Bench extends { close(): Promise<void> }>(
  one: OneCase<Bench>,
  { skip }: Excuses,
  open: () => Promise<Bench>,
  unless: (bench: Bench) => string | undefined,
): Promise<string | undefined> {
  const excuse = skip?.find(({ test }) => test === one.name)
  if (excuse !== undefined) return excuse.reason
  const bench = await open()
  try {
    const reason = unless(bench)
    if (reason !== undefined) return reason
    await one.run(bench)
    return undefined
  } finally {
    await bench.close()
  }
}
