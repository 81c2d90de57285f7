const perMinute = 60

/** What a process took in a minute, in MiB. */
export interface Minute {
  readonly least: number
  readonly median: number
  readonly most: number
}

/** @param samples one for each second; what is left of a minute at the end is one of its own from half a minute on */
export function minutesOf(samples: readonly number[]): readonly Minute[] {
  const minutes: Minute[] = []
  for (let from = 0; from < samples.length; from += perMinute) {
    const sorted = samples.slice(from, from + perMinute).toSorted((a, b) => a - b)
    if (from > 0 && sorted.length < perMinute / 2) break
    minutes.push({
      least: sorted[0]!,
      median: sorted[Math.floor(sorted.length / 2)]!,
      most: sorted.at(-1)!,
    })
  }
  return minutes
}

/** How much larger the peak of the last minute is than that of the second, in which everything is full; undefined before there are three. */
export function growthOf(minutes: readonly Minute[]): number | undefined {
  return minutes.length < 3 ? undefined : minutes.at(-1)!.most / minutes[1]!.most
}
