import { expect, test } from 'vitest'
import { canCollect, collect, grownOld } from '../../test/garbage.ts'
import { turns } from '../../test/signals.ts'
import { manualClock } from '../clock/manual-clock.ts'
import type { Received, Session } from '../contract/transport.ts'
import { HeldLeases } from './held-leases.ts'

const lease = 1_000
const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i)
const [a, b] = ['a', 'b'].map((id) => ({ id }) as Received) as [Received, Received]

/** Leases with a session whose answers the test gives: a lease that is lost, or an outbox that does not answer. */
function holding() {
  const clock = manualClock()
  const asked: string[][] = []
  const notices: string[] = []
  const state = { lost: new Set<string>(), down: false }
  const extend: Session['extend'] = async (list) => {
    asked.push(list.map(({ id }) => id))
    if (state.down) throw new Error('cut')
    return list.map(({ id }) => (state.lost.has(id) ? 'lost' : 'ok'))
  }
  const notice = ({ message }: { message: string }): void => void notices.push(message)
  const leases = new HeldLeases({ clock, lease, session: { extend } as Session, notice })
  leases.add([a, b], clock.monotonic() + lease)
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms)
    await turns()
  }
  return { leases, state, asked, notices, pass }
}

test('are renewed long before they end, as long as something is held', async () => {
  const { leases, asked, pass } = holding()
  for (let i = 0; i < 12; i++) await pass(lease / 4)
  expect(asked).toHaveLength(12)
  expect(await leases.still([a, b])).toEqual([a, b])
  leases.drop([a, b])
  await pass(lease)
  expect(asked).toHaveLength(12)
  leases.stop()
})

test('what is lost is held no more', async () => {
  const { leases, state, pass } = holding()
  state.lost.add('a')
  await pass(lease / 4)
  expect(await leases.still([a, b])).toEqual([b])
})

test('where one may have run out, the outbox is asked; without an answer nobody knows', async () => {
  const { leases, state, notices, pass } = holding()
  state.down = true
  for (let i = 0; i < 5; i++) await pass(lease / 4)
  expect(await leases.still([a, b])).toBeUndefined()
  expect(notices).toHaveLength(1)
  state.down = false
  state.lost.add('b')
  expect(await leases.still([a, b])).toEqual([a])
  state.down = true
  await pass(lease / 4)
  expect(notices).toHaveLength(2)
})

test.runIf(canCollect)('what was dropped does not grow old with what came before it', async () => {
  const { leases } = holding()
  let before: readonly Received[] = []
  const run = (count: number, look = (): void => {}): void => {
    for (let n = 1; n <= count; n++) {
      const batch = numbers(128).map(
        (i) => ({ id: `${n} ${i}`, list: numbers(100) }) as Partial<Received> as Received,
      )
      leases.add(batch, lease)
      leases.drop(before)
      before = batch
      if (n % 50 === 0) look()
    }
  }
  run(100)
  // Makes old what is there now.
  collect('major')
  expect(await grownOld((look) => run(400, look))).toBeLessThan(10_000_000)
  leases.stop()
})
