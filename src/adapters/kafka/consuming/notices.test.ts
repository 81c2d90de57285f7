import { expect, test } from 'vitest'
import type { Notice } from '../../../contract/transport.ts'
import { Notices } from './notices.ts'

function listener(heard: Notice[]) {
  return { notice: (notice: Notice) => void heard.push(notice), revoke: async () => {}, lose: () => {} }
}

test('what is told before anybody listens is kept for the first, once', () => {
  const notices = new Notices()
  const lost: Notice = { code: 'CONNECTION_LOST', message: 'lost' }
  const gone: Notice = { code: 'TOPIC_GONE', message: 'gone' }
  const [first, second]: Notice[][] = [[], []]
  notices.tell(lost)
  notices.tell(gone)
  notices.tell({ ...lost })
  notices.listen(listener(first!))
  notices.listen(listener(second!))
  expect(first).toEqual([lost, gone])
  expect(second).toEqual([])
  notices.tell(gone)
  expect(second).toEqual([gone])
})
