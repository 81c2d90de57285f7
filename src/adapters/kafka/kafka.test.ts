import { testTransport } from '../../conformance/index.ts'
import { describeWithServer } from '../../../test/servers/describe-with-server.ts'
import { kafkaFromUrl } from './index.ts'

await describeWithServer('kafka', (url) => {
  const open = (): ReturnType<typeof kafkaFromUrl> => kafkaFromUrl(`${url}?partitions=3`)
  testTransport('kafka', { open, reopen: open, patience: 20_000, watch: 300 })
})
