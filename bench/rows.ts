import { engineRows } from './engine/rows.ts'
import { throughputRows } from './sqlite/throughput.ts'
import type { Row } from './row.ts'

/** All that can be measured. */
export const rows: readonly Row[] = [...engineRows, ...throughputRows]
