import { MillraceError } from '../errors/millrace-error.ts'

/** What became of one event of a publish that failed. unknown: a time-out or a cut connection; send it again with the same id. */
export type PublishOutcome = 'taken' | 'rejected' | 'unknown'

/** Some of the events were not taken. `results[i]` belongs to the i-th event of the call. */
export class PublishError extends MillraceError {
  override readonly name = 'PublishError'
  readonly results: readonly PublishOutcome[]
  /** Whether the same call may succeed later. */
  readonly retryable: boolean

  constructor(
    message: string,
    options: {
      results: readonly PublishOutcome[]
      retryable: boolean
      code?: MillraceError['code']
      cause?: unknown
    },
  ) {
    super(options.code ?? 'PUBLISH_FAILED', message, { cause: options.cause })
    this.results = options.results
    this.retryable = options.retryable
  }
}
