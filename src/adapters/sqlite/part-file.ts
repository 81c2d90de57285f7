import { bootedAt } from './boot.ts'
import type { Database } from './database.ts'
import { openDatabase, type OpenOptions } from './open-database.ts'
import { bringPartForward, type Part } from './parts.ts'

/** The file as a store or locks have it open: by a connection of their own. */
export interface PartFile {
  readonly database: Database
  /** When the machine was started; see `timesOf`. */
  readonly booted: number
}

/**
 * @param prepare in the transaction that makes the tables
 * @throws MillraceError as `openDatabase`, STORE_INCOMPATIBLE
 */
export async function openPartFile(
  options: OpenOptions,
  part: Part,
  prepare: (database: Database) => void = () => {},
): Promise<PartFile> {
  const database = await openDatabase(options)
  try {
    return await database.write(() => {
      bringPartForward(database, part)
      prepare(database)
      return { database, booted: bootedAt(database) }
    })
  } catch (error) {
    await database.close()
    throw error
  }
}
