import { Client } from 'pg'
import { describeWithServer } from '../../../test/servers/describe-with-server.ts'
import { testTransport } from '../../conformance/index.ts'
import { postgres } from './index.ts'

await describeWithServer('postgres', (url) => {
  const open = (): ReturnType<typeof postgres> => postgres(`${url}?schema=suite`)
  testTransport('postgres', {
    open,
    reopen: open,
    async begin() {
      const transaction = new Client({ connectionString: url })
      await transaction.connect()
      await transaction.query('BEGIN')
      const end = (how: string) => async (): Promise<void> => {
        await transaction.query(how)
        await transaction.end()
      }
      return { transaction, commit: end('COMMIT'), rollback: end('ROLLBACK') }
    },
  })
})
