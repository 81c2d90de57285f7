import { growthOf, minutesOf } from './curve.ts'
import { breachesOf } from './judge.ts'
import type { Path } from './path.ts'
import type { Result } from './subject-process.ts'

/** What came out, for people. */
export function reportOf(path: Path, result: Result): string {
  const { account, notices, samples, peak, drained } = result
  const { taken, handled, dead, waiting, open, refused, unsure } = account
  // Nobody heard that they were taken, and they were.
  const found = handled + dead + waiting + open - taken
  const growth = growthOf(minutesOf(samples))
  const breaches = breachesOf(path, result)
  return [
    `${path.name}: ${path.about}`,
    `  ${taken} taken + ${found} of unknown outcome = ${handled} handled + ${dead} dead + ${waiting} waiting, ${open} lost`,
    `  refused: ${listOf(refused)}; outcome unknown: ${listOf(unsure)}; notices: ${listOf(notices)}`,
    ...minutesOf(samples).map(
      ({ least, median, most }, n) =>
        `  minute ${n + 1}: ${least.toFixed()} / ${median.toFixed()} / ${most.toFixed()} MiB`,
    ),
    `  peak ${peak.toFixed()} MiB of ${path.ceiling}, heap limit ${path.heap} MiB; last minute / second: ${growth?.toFixed(2) ?? '-'}; all done ${drained.toFixed(1)} s later`,
    ...breaches.map((text) => `  BROKEN: ${text}`),
  ].join('\n')
}

function listOf(counts: Readonly<Record<string, number>>): string {
  const list = Object.entries(counts).map(([code, count]) => `${count} ${code}`)
  return list.join(', ') || 'none'
}
