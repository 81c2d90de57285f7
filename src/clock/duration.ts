import { MillraceError } from '../errors/millrace-error.ts'

/** A span of time: milliseconds as a number, or a text such as `'250ms'`, `'5s'`, `'10m'`, `'2h'`, `'7d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const units = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
/** 100 years: longer is a mistake, and numbers far beyond it cannot be kept as dates. */
export const longestDuration = 36_525 * units.d
const shape = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/

/**
 * A duration in milliseconds.
 * @param name what to call it in the error
 * @throws MillraceError INVALID_OPTION if it is negative, longer than 100 years, or not of the shape.
 */
export function milliseconds(duration: Duration, name: string): number {
  let ms: number
  if (typeof duration === 'number') ms = duration
  else {
    const match = shape.exec(duration)
    ms = match === null ? Number.NaN : Number(match[1]) * units[match[2] as keyof typeof units]
  }
  if (ms >= 0 && ms <= longestDuration) return ms
  throw new MillraceError(
    'INVALID_OPTION',
    `Expected \`${name}\` to be milliseconds or a text such as '5s', '10m' or '2h', at most 100 years, got ${JSON.stringify(duration) ?? String(duration)}`,
  )
}

/** A duration for people: `350 ms`, `4.2 s`, `12 min`, `3.5 h`. */
export function readable(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 100_000) return `${(ms / 1_000).toFixed(1)} s`
  if (ms < 5_400_000) return `${Math.round(ms / 60_000)} min`
  if (ms < 172_800_000) return `${(ms / 3_600_000).toFixed(1)} h`
  return `${Math.round(ms / 86_400_000)} d`
}
