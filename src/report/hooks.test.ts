import { expect, test } from 'vitest'
import { Hooks } from './hooks.ts'

test('of functions that look alike, or are the same, the one that is taken back is heard no more', async () => {
  const hooks = new Hooks<string>(() => {})
  const heard: number[] = []
  const ends = [0, 1, 2].map((n) => hooks.add(() => heard.push(n)))
  const twice = (): number => heard.push(3)
  ends.push(hooks.add(twice), hooks.add(twice))
  ends[2]!()
  ends[3]!()
  ends[3]!()
  await hooks.call('once')
  expect(heard).toEqual([0, 1, 3])
})
