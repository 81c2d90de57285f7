import { MillraceError } from '../../errors/millrace-error.ts'

/** Bytes of bodies that may be in memory at once, from their first byte to the answer. */
const mostBytes = 256 * 1024 * 1024
/** Requests that may be under way at once: the smallest takes memory too, for as long as its handlers run. */
const mostRequests = 10_000

/** All requests under way in one ingress, and their bodies: however many senders there are, they do not fill the memory. */
export class Intake {
  readonly #most: number
  #bytes = 0
  #requests = 0

  /** @param maxBytes what one body may take, which there is always room for */
  constructor(maxBytes: number) {
    this.#most = Math.max(mostBytes, maxBytes)
  }

  /** A request begins. @throws MillraceError HTTP_UNAVAILABLE */
  enter(): void {
    if (this.#requests === mostRequests) {
      throw new MillraceError('HTTP_UNAVAILABLE', `${mostRequests} requests are under way already`)
    }
    this.#requests++
  }

  /** One that began is answered, of whose body so many bytes came. */
  leave(bytes: number): void {
    this.#requests--
    this.#bytes -= bytes
  }

  /** Makes room for a part of a body. @throws MillraceError HTTP_UNAVAILABLE */
  take(bytes: number): void {
    if (this.#bytes + bytes > this.#most) {
      throw new MillraceError('HTTP_UNAVAILABLE', `The requests under way hold ${this.#bytes} bytes already`)
    }
    this.#bytes += bytes
  }
}
