import { growthOf, minutesOf } from './curve.ts'
import type { Path } from './path.ts'
import type { Result } from './subject-process.ts'

/** The last minute may take so much more than the second one. */
const mostGrowth = 1.2

/** What is wrong with the outcome, in words; nothing if all promises were kept. */
export function breachesOf({ ceiling, counted, told }: Path, result: Result): readonly string[] {
  const { account, counts, notices, samples, peak } = result
  const waiting = Math.min(account.waiting, counted)
  const dead = Math.min(account.dead, counted)
  const growth = growthOf(minutesOf(samples))
  const rules: readonly [boolean, string][] = [
    [account.handled + account.dead + account.waiting === 0, 'nothing came to an end'],
    [account.open > 0, `${account.open} events were taken and never seen again`],
    [account.stray > 0, `${account.stray} events were handled that nobody had taken`],
    [
      account.repeated > (notices['LEASE_LOST'] ?? 0),
      `${account.repeated} events were handled again, though only ${notices['LEASE_LOST'] ?? 0} leases were lost`,
    ],
    [counts.ready > 0, `the queue has ${counts.ready} events that are ready`],
    [counts.waiting !== waiting, `the queue has ${counts.waiting} that wait, not ${waiting}`],
    [counts.dead !== dead, `the queue has ${counts.dead} dead letters, not ${dead}`],
    [peak > ceiling, `the process took ${peak.toFixed()} MiB, more than ${ceiling}`],
    [
      growth !== undefined && growth > mostGrowth,
      `the last minute took ${growth?.toFixed(2)} times what the second took`,
    ],
    ...told.map((code): [boolean, string] => [
      growth !== undefined && account.refused[code] === undefined && notices[code] === undefined,
      `nobody was told ${code}`,
    ]),
  ]
  return rules.filter(([broken]) => broken).map(([, text]) => text)
}
