import { MillraceError } from '../../errors/millrace-error.ts'

/** Bytes of bodies that may be in memory at once, from their first byte to the answer. */
const mostBytes = 256 * 1024 * 1024

/** The bodies of all requests under way in one ingress: however many senders there are, they do not fill the memory. */
export class Intake {
  readonly #most: number
  #bytes = 0

  /** @param maxBytes what one body may take, which there is always room for */
  constructor(maxBytes: number) {
    this.#most = Math.max(mostBytes, maxBytes)
  }

  /** Makes room for a part of a body. @throws MillraceError HTTP_UNAVAILABLE */
  take(bytes: number): void {
    if (this.#bytes + bytes > this.#most) {
      throw new MillraceError('HTTP_UNAVAILABLE', `The requests under way hold ${this.#bytes} bytes already`)
    }
    this.#bytes += bytes
  }

  give(bytes: number): void {
    this.#bytes -= bytes
  }
}
