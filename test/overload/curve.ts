/** What the process took, and when: in seconds since the producer began. */
export interface Sample {
  readonly at: number
  readonly mib: number
}

/** What it took in one minute, in MiB. */
export interface Minute {
  readonly least: number
  readonly median: number
  readonly most: number
}

/** The whole minutes, and half a one at the end. */
export function minutesOf(samples: readonly Sample[]): readonly Minute[] {
  const end = samples.at(-1)?.at ?? 0
  return Array.from({ length: Math.floor(end / 60 + 0.5) }, (_, minute) => {
    const own = samples.filter(({ at }) => Math.floor(at / 60) === minute)
    const sorted = own.map(({ mib }) => mib).toSorted((a, b) => a - b)
    return {
      least: sorted[0]!,
      median: sorted[Math.floor(sorted.length / 2)]!,
      most: sorted.at(-1)!,
    }
  })
}

/** How much larger the peak of the last minute is than that of the second, in which everything is full; undefined before there are three. */
export function growthOf(minutes: readonly Minute[]): number | undefined {
  return minutes.length < 3 ? undefined : minutes.at(-1)!.most / minutes[1]!.most
}
