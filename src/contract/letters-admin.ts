import type { Outgoing } from '../event/outgoing.ts'
import { checkReplacement } from './dead-letter.ts'
import type { StoredDeadLetter, TransportAdmin } from './transport-admin.ts'

/** The dead letters of one queue. What each call does, TransportAdmin says. */
export interface QueueLetters {
  page(limit: number, after: string | undefined): Promise<readonly StoredDeadLetter[]>
  get(letter: string): Promise<StoredDeadLetter | undefined>
  redrive(letters: readonly string[] | undefined, replace: Outgoing | undefined): Promise<number>
  purge(letters: readonly string[] | undefined): Promise<number>
}

/** What operators do with dead letters, over what an adapter has of each queue. */
export abstract class LettersAdmin implements Pick<
  TransportAdmin,
  'deadLetters' | 'deadLetter' | 'redrive' | 'purge'
> {
  /** Rejects with UNKNOWN_QUEUE if there is no such queue. */
  protected abstract letters(queue: string): Promise<QueueLetters>

  async deadLetters(
    queue: string,
    { limit, after }: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<readonly StoredDeadLetter[]> {
    return (await this.letters(queue)).page(limit, after)
  }

  async deadLetter(queue: string, letter: string): Promise<StoredDeadLetter | undefined> {
    return (await this.letters(queue)).get(letter)
  }

  async redrive(queue: string, letters: readonly string[] | undefined, replace?: Outgoing): Promise<number> {
    checkReplacement(letters, replace)
    return (await this.letters(queue)).redrive(letters, replace)
  }

  async purge(queue: string, letters: readonly string[] | undefined): Promise<number> {
    return (await this.letters(queue)).purge(letters)
  }
}
