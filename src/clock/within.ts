import { longestTimer } from './clock.ts'

/**
 * Whether the work ended within `ms` of real time; whatever becomes of it later is nobody's business. Keeps the process alive
 * until then: somebody waits for the answer.
 * @throws what the work rejects with in time
 */
export async function within(work: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(resolve, Math.min(Math.max(ms, 0), longestTimer), 'late')
  })
  try {
    return (await Promise.race([work.then(() => 'done'), late])) === 'done'
  } finally {
    clearTimeout(timer)
  }
}
