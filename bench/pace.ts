/** What is published where latency is measured: when that was, and what makes it about 1 KB. */
export interface Stamped {
  readonly at: number
  readonly note: string
}

const filling = 'x'.repeat(990)

export function stamped(): Stamped {
  return { at: now(), note: filling }
}

/** Milliseconds of a clock that all processes of the machine share. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Calls `publish` so many times a second, for so many seconds; those that are late are made up for. Gives the number. */
export async function paced(perSecond: number, seconds: number, publish: () => void): Promise<number> {
  const total = Math.ceil(perSecond * seconds)
  const began = performance.now()
  let made = 0
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      for (; made < total && performance.now() - began >= (made * 1_000) / perSecond; made++) publish()
      if (made < total) return
      clearInterval(timer)
      resolve()
    }, 1)
  })
  return total
}
