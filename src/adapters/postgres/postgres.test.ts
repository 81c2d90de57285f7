import { describeWithServer } from '../../../test/servers/describe-with-server.ts'
import { testTransport } from '../../conformance/index.ts'
import { postgres } from './index.ts'

await describeWithServer('postgres', (url) => {
  const open = (): ReturnType<typeof postgres> => postgres(`${url}?schema=suite`)
  testTransport('postgres', { open, reopen: open })
})
