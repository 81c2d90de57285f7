import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { swapParts, type Relaying, type Swappable, type Verifying } from '../app-tools.ts'
import { millrace, type App } from '../app.ts'
import type { EventSender } from '../contract/publishing.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import { transportFromUrl } from '../url.ts'
import { typed, UsageError } from './exit-codes.ts'

/** Which app, on which transport. */
export interface AppChoice {
  readonly module: string | undefined
  readonly transport: string | undefined
}

/** An app as the command uses it. One from a module may be made by another copy of millrace. */
export type LoadedApp = App & Swappable & Verifying & Relaying & { readonly publisher: EventSender }

/** The user's module threw while it was loaded. `cause` is what it threw. */
export class ModuleFailure extends MillraceError {
  constructor(module: string, cause: unknown) {
    super('MODULE_INVALID', `${module} could not be loaded`, { cause })
  }
}

/**
 * The app of the module, else one that only has a transport.
 * @throws UsageError, ModuleFailure, MillraceError MODULE_INVALID, MODULE_COMMONJS, UNKNOWN_TRANSPORT
 */
export async function appOf({ module, transport: given }: AppChoice): Promise<LoadedApp> {
  const url = given ?? (module === undefined ? process.env['MILLRACE_URL'] : undefined)
  const transport = url ? await typed(() => transportFromUrl(url)) : undefined
  if (module !== undefined) {
    const app = await appFrom(module)
    if (transport !== undefined) app[swapParts]({ transport })
    return app
  }
  if (transport !== undefined) return millrace({ transport }) as unknown as LoadedApp
  throw new UsageError('Which transport? Name a module, or give --transport URL, or set MILLRACE_URL')
}

/** Lends an app, and stops it whatever happens. */
export async function withApp<T>(choice: AppChoice, work: (app: LoadedApp) => Promise<T>): Promise<T> {
  const app = await appOf(choice)
  try {
    return await work(app)
  } finally {
    await app.stop()
  }
}

async function appFrom(module: string): Promise<LoadedApp> {
  const path = resolve(module)
  if (!existsSync(path)) throw new UsageError(`There is no file ${module}`, 'MODULE_INVALID')
  let exported: unknown
  try {
    exported = ((await import(pathToFileURL(path).href)) as { default?: unknown }).default
  } catch (error) {
    if (isOutsideModule(error)) {
      throw new MillraceError('MODULE_COMMONJS', `Node takes ${module} for CommonJS`, { cause: error })
    }
    throw new ModuleFailure(module, error)
  }
  if (typeof exported === 'object' && exported !== null && swapParts in exported) return exported as LoadedApp
  throw new MillraceError('MODULE_INVALID', `${module} does not export an app as default`)
}

/** Node has no code for this one. */
function isOutsideModule(error: unknown): boolean {
  return error instanceof SyntaxError && error.message === 'Cannot use import statement outside a module'
}
