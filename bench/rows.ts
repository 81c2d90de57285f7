import { engineRows } from './engine/rows.ts'
import { kafkaRows } from './kafka/rows.ts'
import { postgresRows } from './postgres/rows.ts'
import type { Row } from './row.ts'
import { comparisonRows } from './sqlite/comparisons.ts'
import { enduranceRows } from './sqlite/endurance.ts'
import { keyRows } from './sqlite/keys.ts'
import { sqliteRelay } from './sqlite/relay.ts'
import { throughputRows } from './sqlite/throughput.ts'

/** All that can be measured. */
export const rows: readonly Row[] = [
  ...engineRows,
  ...throughputRows,
  ...keyRows,
  sqliteRelay,
  ...comparisonRows,
  ...enduranceRows,
  ...kafkaRows,
  ...postgresRows,
]
