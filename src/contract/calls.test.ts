import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { canCollect, collect, grownOld } from '../../test/garbage.ts'
import { Calls } from './calls.ts'

test('the end comes once, when no call is under way any more, however those end', async () => {
  const calls = new Calls('it')
  const order: string[] = []
  const end = async (): Promise<void> => void order.push('end')
  const works = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const results = works.map(({ promise }) => calls.run(() => promise))
  const closed = Promise.all([calls.close(end), calls.close(end)])
  await expect(calls.run(async () => {})).rejects.toMatchObject({ code: 'STOPPED' })
  works[0]!.reject(new Error('it failed'))
  await expect(results[0]).rejects.toThrow('it failed')
  await turn()
  order.push('last call')
  works[1]!.resolve()
  await closed
  expect(order).toEqual(['last call', 'end'])
})

test('where none is under way it comes at once', async () => {
  const calls = new Calls('it')
  await calls.run(async () => {})
  let ended = false
  await calls.close(async () => void (ended = true))
  expect(ended).toBe(true)
})

test.runIf(canCollect)('what a call gave does not grow old with what those before it gave', async () => {
  const calls = new Calls('it')
  let made = 0
  const run = async (count: number, look = (): void => {}): Promise<void> => {
    const all = made + count
    const one = async (): Promise<void> => {
      while (made < all) {
        if (++made % 4_000 === 0) look()
        await calls.run(async () => {
          await turn()
          return Array.from({ length: 100 }, () => made)
        })
      }
    }
    await Promise.all(Array.from({ length: 32 }, one))
  }
  await run(5_000)
  // Makes old what is there now.
  collect('major')
  expect(await grownOld((look) => run(40_000, look))).toBeLessThan(6_000_000)
})
