/** Waits for which there is a topic, in milliseconds, longest first. What waits longer goes through several. */
const tiers: readonly number[] = [21_600_000, 3_600_000, 600_000, 60_000, 10_000]

/** Waits up to this are spent in memory, where the event is still the one of its topic. */
export const shortWait = 10_000

/** The topics of a queue. */
export interface QueueTopics {
  readonly retry: string
  readonly dead: string
  readonly progress: string
  readonly tiers: readonly { readonly topic: string; readonly ms: number }[]
}

export function topicsOf(queue: string): QueueTopics {
  return {
    retry: `${queue}.retry`,
    dead: `${queue}.dead`,
    progress: `${queue}.progress`,
    tiers: tiers.map((ms) => ({ topic: `${queue}.delay.${ms / 1_000}`, ms })),
  }
}

export function namesOf({ retry, dead, progress, tiers: waits }: QueueTopics): readonly string[] {
  return [retry, dead, progress, ...waits.map(({ topic }) => topic)]
}
