import { isMillraceError, MillraceError, messageOf } from '../../errors/millrace-error.ts'
import type { ErrorCode } from '../../errors/codes.ts'

/** What node:sqlite throws. `errcode` is SQLite's extended result code; its low byte is the primary one. */
interface SqliteError extends Error {
  readonly errcode: number
}

/** Primary result codes, https://sqlite.org/rescode.html */
const perm = 3
const busy = 5
const readOnly = 8
const ioError = 10
const corrupt = 11
const full = 13
const cannotOpen = 14
const protocol = 15
const notADatabase = 26

/** By SQLite's codes, and by the system's where a file is used without it. */
const codes: ReadonlyMap<number | string | undefined, ErrorCode> = new Map<number | string, ErrorCode>([
  [perm, 'STORE_READ_ONLY'],
  [busy, 'STORE_BUSY'],
  [protocol, 'STORE_BUSY'],
  [readOnly, 'STORE_READ_ONLY'],
  [corrupt, 'STORE_CORRUPT'],
  [full, 'STORE_FULL'],
  [cannotOpen, 'TRANSPORT_UNREACHABLE'],
  [notADatabase, 'STORE_CORRUPT'],
  ['ENOSPC', 'STORE_FULL'],
  ['EDQUOT', 'STORE_FULL'],
  ['EACCES', 'STORE_READ_ONLY'],
  ['EPERM', 'STORE_READ_ONLY'],
  ['EROFS', 'STORE_READ_ONLY'],
])

/** What may be over when the same call is made again. */
const passing: ReadonlySet<ErrorCode> = new Set([
  'STORE_BUSY',
  'STORE_FULL',
  'STORE_FAILED',
  'TRANSPORT_UNREACHABLE',
])

function primaryCode(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error ? (error as SqliteError).errcode & 0xff : undefined
}

function systemCode(error: unknown): string | undefined {
  return (error as Partial<NodeJS.ErrnoException> | null)?.code
}

/** Whether another connection has the file just now, so that trying again helps. */
export function isBusy(error: unknown): boolean {
  const code = primaryCode(error)
  return code === busy || code === protocol || isMillraceError(error, 'STORE_BUSY')
}

export function cannotBeOpened(error: unknown): boolean {
  return primaryCode(error) === cannotOpen
}

/** A read, write or sync that the disk refused, through SQLite or without it. If it struck a commit, nobody can say whether a crash now would bring it back. */
export function isDiskError(error: unknown): boolean {
  return (
    primaryCode(error) === ioError || (error as Partial<NodeJS.ErrnoException> | null)?.syscall !== undefined
  )
}

/** The coded error for what was thrown while using the file at `path`. */
export function storeError(error: unknown, path: string): MillraceError {
  if (error instanceof MillraceError) return error
  const code = codes.get(primaryCode(error) ?? systemCode(error)) ?? 'STORE_FAILED'
  return new MillraceError(code, `${path}: ${messageOf(error)}`, { cause: error })
}

export function isPassing(error: MillraceError): boolean {
  return passing.has(error.code)
}
