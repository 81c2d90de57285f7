import { MillraceError } from '../errors/millrace-error.ts'
import { attributeNames } from './names.ts'

/** The value of a CloudEvents extension attribute. */
export type ExtensionValue = string | number | boolean

/** Attributes travel in headers, so they are bounded, not empty and well-formed. */
export function checkText(value: unknown, name: string): string {
  if (
    typeof value === 'string' &&
    value.length > 0 &&
    value.length <= 1024 &&
    value.isWellFormed() &&
    !value.includes('\u0000')
  )
    return value
  throw new MillraceError(
    'INVALID_EVENT',
    `Expected \`${name}\` to be a text of 1 to 1024 characters, got ${describe(value)}`,
  )
}

export function checkDate(value: unknown, name: string): number {
  const ms = value instanceof Date ? value.getTime() : Number.NaN
  if (!Number.isNaN(ms)) return ms
  throw new MillraceError('INVALID_EVENT', `Expected \`${name}\` to be a valid Date, got ${describe(value)}`)
}

/** CloudEvents 1.0, "Naming Conventions": lower-case letters and digits. */
const extensionName = /^[a-z0-9]{1,64}$/

export function checkExtensions(
  extensions: Readonly<Record<string, unknown>>,
): Readonly<Record<string, ExtensionValue>> {
  for (const [name, value] of Object.entries(extensions ?? {})) {
    const fits =
      typeof value === 'string' ? value.isWellFormed() : typeof value === 'boolean' || Number.isFinite(value)
    if (extensionName.test(name) && !attributeNames.has(name) && fits) continue
    throw new MillraceError(
      'INVALID_EVENT',
      `The extension ${JSON.stringify(name)} must be lower-case letters and digits and no attribute, its value text, number or boolean`,
    )
  }
  return Object.freeze({ ...extensions }) as Readonly<Record<string, ExtensionValue>>
}

function describe(value: unknown): string {
  if (typeof value === 'string')
    return value.length > 80 ? `a text of ${value.length} characters` : JSON.stringify(value)
  return value instanceof Date ? 'an invalid Date' : value === null ? 'null' : typeof value
}
