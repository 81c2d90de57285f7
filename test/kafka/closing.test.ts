import { Admin } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { kafkaFromUrl } from '../../src/adapters/kafka/index.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'
import { newName, open, spec } from './sessions.ts'

await describeWithServer('kafka', (server) => {
  const members = async (group: string): Promise<number> => {
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: [new URL(server).host] })
    try {
      return (await admin.describeGroups({ groups: [group] })).get(group)?.members.size ?? 0
    } finally {
      await admin.close()
    }
  }

  test('a session that opens when its transport is closed is refused, and leaves nothing in the group', async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    await using one = kafkaFromUrl(server)
    const other = kafkaFromUrl(server)
    await one.declare([spec(queue, topic)])
    let joining = (): void => {}
    let released = (): void => {}
    const joins = new Promise<void>((resolve) => (joining = resolve))
    const release = new Promise<void>((resolve) => (released = resolve))
    const session = await open(one, queue, {
      // The join of the other one waits for this.
      onRevoke() {
        joining()
        return release
      },
    })
    const opening = open(other, queue).catch((error: unknown) => error)
    await joins
    const closing = other.close()
    released()
    await closing
    expect(await opening).toMatchObject({ code: 'STOPPED' })
    await expect.poll(() => members(queue), { timeout: 5_000 }).toBe(1)
    await session.close()
  }, 30_000)

  test('a session that has only begun to open when its transport is closed is refused', async () => {
    const [queue, topic] = [newName('queue'), newName('topic')]
    await using one = kafkaFromUrl(server)
    await one.declare([spec(queue, topic)])
    const early = kafkaFromUrl(server)
    const opening = open(early, queue).catch((error: unknown) => error)
    await early.close()
    expect(await opening).toMatchObject({ code: 'STOPPED' })
    await using late = kafkaFromUrl(server)
    await late.admin.queues()
    const second = open(late, queue).catch((error: unknown) => error)
    await late.close()
    expect(await second).toMatchObject({ code: 'STOPPED' })
    expect(await members(queue)).toBe(0)
  }, 30_000)
})
