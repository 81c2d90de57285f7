import { isMillraceError, MillraceError, messageOf } from '../../errors/millrace-error.ts'
import type { ErrorCode } from '../../errors/codes.ts'

/** SQLSTATEs, https://www.postgresql.org/docs/current/errcodes-appendix.html, or their classes of two characters. */
const codes: ReadonlyMap<string, ErrorCode> = new Map([
  ['08', 'CONNECTION_LOST'],
  ['25006', 'STORE_READ_ONLY'], // a standby
  ['28', 'LOGIN_REFUSED'],
  ['3D', 'TRANSPORT_UNREACHABLE'], // no such database
  ['3F', 'MIGRATION_NEEDED'], // no such schema, table or column
  ['40', 'STORE_BUSY'], // deadlock, serialisation
  ['42P01', 'MIGRATION_NEEDED'],
  ['42703', 'MIGRATION_NEEDED'],
  ['42501', 'STORE_READ_ONLY'],
  ['53100', 'STORE_FULL'],
  ['53300', 'TRANSPORT_UNREACHABLE'], // too many connections
  ['55P03', 'STORE_BUSY'], // lock_timeout
  ['57014', 'STORE_BUSY'], // statement_timeout
  ['57P03', 'TRANSPORT_UNREACHABLE'], // starting up or shutting down
  ['57P', 'CONNECTION_LOST'], // shut down, crashed, terminated by somebody
  ['XX001', 'STORE_CORRUPT'],
  ['XX002', 'STORE_CORRUPT'],
])

/** What may be over when the same call is made again. */
const passing: ReadonlySet<ErrorCode> = new Set([
  'CONNECTION_LOST',
  'STORE_BUSY',
  'STORE_FAILED',
  'STORE_FULL',
  'TRANSPORT_UNREACHABLE',
])

/** The statement, or the commit of its transaction, was sent and no answer came: nobody can say whether it was done. */
export class OutcomeUnknown extends MillraceError {
  override readonly name = 'OutcomeUnknown'
}

/** The five characters by which the server names an error; undefined if it was not the server that said it. */
export function sqlState(error: unknown): string | undefined {
  const cause = isMillraceError(error) ? error.cause : error
  const code = (cause as { code?: unknown } | undefined)?.code
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && isFromServer(cause) ? code : undefined
}

/** Names of Node's errors can have five characters, too: EPIPE. */
function isFromServer(error: unknown): boolean {
  return typeof (error as { severity?: unknown }).severity === 'string'
}

/** The coded error for what was thrown while using a connection. */
export function storeError(error: unknown, where: string): MillraceError {
  if (error instanceof MillraceError) return error
  const state = sqlState(error)
  // Without a word of the server's: the connection was cut, or it did not answer in time.
  const code = state === undefined ? 'CONNECTION_LOST' : codeOf(state)
  return new MillraceError(code, `${where}: ${messageOf(error)}`, { cause: error })
}

/** The coded error for what was thrown instead of a connection. */
export function connectError(error: unknown, where: string): MillraceError {
  const coded = storeError(error, where)
  if (coded.code !== 'CONNECTION_LOST') return coded
  return new MillraceError('TRANSPORT_UNREACHABLE', coded.message, { cause: error })
}

export function isPassing(error: MillraceError): boolean {
  return passing.has(error.code)
}

function codeOf(state: string): ErrorCode {
  return codes.get(state) ?? codes.get(state.slice(0, 3)) ?? codes.get(state.slice(0, 2)) ?? 'STORE_FAILED'
}
