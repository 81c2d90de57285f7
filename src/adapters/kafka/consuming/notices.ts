import type { Notice } from '../../../contract/transport.ts'
import type { Taker } from './taker.ts'

/** Tells one session what the consumer has to say: before the first there is, that one; after the last has gone, still that one. */
export class Notices {
  #listener: Taker | undefined
  /** By their texts: what is tried again and again says the same each time. */
  readonly #untold = new Map<string, Notice>()

  listen(listener: Taker): void {
    this.#listener = listener
    for (const notice of this.#untold.values()) listener.notice(notice)
    this.#untold.clear()
  }

  tell(notice: Notice): void {
    if (this.#listener === undefined) this.#untold.set(notice.message, notice)
    else this.#listener.notice(notice)
  }
}
