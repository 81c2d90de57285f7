import { constants } from 'node:fs'
import { access, realpath, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MillraceError, messageOf } from '../../errors/millrace-error.ts'

/** f_type of statfs(2) on Linux. Processes on two machines would each trust their own locks and shared memory. */
const networkTypes: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB2'],
  [0x01021997, '9P'],
  [0x5346414f, 'AFS'],
  [0x00c36400, 'Ceph'],
  [0x73757245, 'Coda'],
  [0x0bd00bd0, 'Lustre'],
])

/** The name of a network file system; undefined if it is none. The type is signed on 32-bit systems. */
export function networkFileSystem(type: number): string | undefined {
  return networkTypes.get(type >>> 0)
}

/** @throws MillraceError STORE_NETWORK, TRANSPORT_UNREACHABLE */
export async function checkFileSystem(path: string): Promise<void> {
  if (process.platform !== 'linux') return
  let type: number
  try {
    // The file may be a link to somewhere else; if it does not exist yet, its folder decides.
    const place = await realpath(path).catch(() => dirname(path))
    type = (await statfs(place)).type
  } catch (cause) {
    throw new MillraceError('TRANSPORT_UNREACHABLE', `${path}: ${messageOf(cause)}`, { cause })
  }
  const name = networkFileSystem(type)
  if (name !== undefined) throw new MillraceError('STORE_NETWORK', `${path} is on ${name}`)
}

/** SQLite says only that it cannot open: tells a folder that may not be written from one that is not there. */
export async function isReadOnly(path: string): Promise<boolean> {
  try {
    await access(dirname(path), constants.W_OK)
    return false
  } catch (error) {
    return ['EACCES', 'EROFS', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')
  }
}
