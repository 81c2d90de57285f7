import { fdatasync, fstatSync, readdirSync, statSync, type Stats } from 'node:fs'
import { promisify } from 'node:util'

/** Lists what this process has open; not on Windows. */
const openFiles = '/dev/fd'

export const realSync = promisify(fdatasync)

/**
 * Gives what brings to the disk whatever was written so far into a database that SQLite has open here. That only takes time off the sync
 * which SQLite makes later, so it does nothing where it cannot, and says nothing of what the disk refuses: each opening of a file is
 * told of that by itself. Whoever relies on SQLite's sync opens the file after this call.
 *
 * It goes through a descriptor of SQLite's. One opened here could never be closed, because with it all locks of the process on the file would
 * end (https://sqlite.org/howtocorrupt.html, 2.2).
 * @param sync for tests
 */
export function earlySync(path: string, sync = realSync): () => Promise<void> {
  const found = find(path)
  return async () => {
    // SQLite may have closed it, and the number be another file's.
    if (found === undefined || !isOf(found.descriptor, found.file)) return
    await sync(found.descriptor).catch(() => undefined)
  }
}

function find(path: string): { readonly descriptor: number; readonly file: Stats } | undefined {
  try {
    const file = statSync(path)
    const descriptor = readdirSync(openFiles)
      .map(Number)
      .find((one) => isOf(one, file))
    return descriptor === undefined ? undefined : { descriptor, file }
  } catch {
    return undefined // there is no such list
  }
}

function isOf(descriptor: number, { dev, ino }: Stats): boolean {
  try {
    const found = fstatSync(descriptor)
    return found.dev === dev && found.ino === ino
  } catch {
    return false // it is closed
  }
}
