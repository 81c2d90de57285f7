import type { Row } from '../row.ts'
import { postgresComparisons } from './comparisons.ts'
import { postgresRelay } from './relay.ts'
import { postgresThroughput } from './throughput.ts'

export const postgresRows: readonly Row[] = [...postgresThroughput, postgresRelay, ...postgresComparisons]
