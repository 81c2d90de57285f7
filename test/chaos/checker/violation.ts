/** A promise that was not kept. */
export interface Violation {
  readonly rule: string
  readonly text: string
  /** The event concerned, and those beside it. */
  readonly ids: readonly string[]
  readonly queue?: string
}
