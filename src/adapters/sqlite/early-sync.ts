import { fdatasync, fstatSync, readdirSync, readFileSync, statSync, type Stats } from 'node:fs'
import { promisify } from 'node:util'

/** Brings to the disk what was written so far into a database, which takes time off the sync that SQLite makes later. */
export interface EarlySync {
  /** Rejects with what the disk refused. */
  sync(): Promise<void>
  close(): void
}

/** Says what this process has open, and how. */
const openFiles = '/proc/self/fdinfo'

export const realSync = promisify(fdatasync)

/**
 * undefined where it cannot be: Linux alone says which descriptor is whose.
 *
 * The disk's refusal is told once to each opening of a file, so this is one on whose answer nobody else relies: SQLite never syncs
 * through a connection that only reads. And it is SQLite's, which closes it when no lock depends on that: closing a file ends all
 * locks that the process has on it (https://sqlite.org/howtocorrupt.html, 2.2).
 * @param sync for tests
 */
export function openEarlySync(path: string, sync = realSync): EarlySync | undefined {
  try {
    const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
    const before = readersOf(path)
    const connection = new DatabaseSync(path, { readOnly: true })
    const [descriptor, ...others] = readersOf(path).filter((one) => !before.includes(one))
    // None: SQLite took one that it had not closed yet. Several: another thread has opened the file at the same moment.
    if (descriptor !== undefined && others.length === 0)
      return { sync: () => sync(descriptor), close: () => connection.close() }
    connection.close()
  } catch {
    // There is no such list, or no room for another open file: SQLite syncs all of it in the end.
  }
  return undefined
}

/** Descriptors through which the file can only be read. */
function readersOf(path: string): readonly number[] {
  const file = statSync(path)
  return readdirSync(openFiles)
    .map(Number)
    .filter((one) => isOf(one, file) && onlyReads(one))
}

function isOf(descriptor: number, { dev, ino }: Stats): boolean {
  try {
    const found = fstatSync(descriptor)
    return found.dev === dev && found.ino === ino
  } catch {
    return false // it was open for the listing only
  }
}

/** The flags are octal; the last digit is how it was opened, and 0 is for reading. */
function onlyReads(descriptor: number): boolean {
  return /^flags:\s*[0-7]*0$/m.test(readFileSync(`${openFiles}/${descriptor}`, 'utf8'))
}
