import { testProcesses } from '../../src/conformance/index.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'

await describeWithServer('postgres', (url) => {
  testProcesses('postgres', {
    module: new URL('./postgres.ts', import.meta.url),
    place: () => `${url}?schema=processes`,
  })
})
