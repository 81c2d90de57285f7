import { testProcesses } from '../../src/conformance/index.ts'
import { describeWithServer } from '../servers/describe-with-server.ts'

await describeWithServer('kafka', (url) => {
  testProcesses('kafka', {
    module: new URL('./kafka.ts', import.meta.url),
    place: () => `${url}?partitions=6`,
    // Below that a broker expels nobody (group.min.session.timeout.ms).
    lease: 6_000,
    patience: 60_000,
  })
})
