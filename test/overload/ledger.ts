const taken = 1
const unsure = 2
const handled = 4
const dead = 8
const waiting = 16
const ended = handled | dead | waiting

/** Enough for the fastest path in half an hour; made at once, so that it does not look like something that grows. */
const capacity = 2 ** 25

export interface Account {
  /** Events whose publish resolved. */
  readonly taken: number
  readonly handled: number
  readonly dead: number
  /** What its handler has put off beyond the end of the load. */
  readonly waiting: number
  /** Publishes that were refused, and those whose outcome nobody knows, by the code of their error. */
  readonly refused: Readonly<Record<string, number>>
  readonly unsure: Readonly<Record<string, number>>
  /** Taken, and never seen again. */
  readonly open: number
  /** Handled once more, though nothing had failed. */
  readonly repeated: number
  /** Handled, though nobody took it. */
  readonly stray: number
}

/** What became of each event. Events are numbers; what is said of one may come in any order. */
export class Ledger {
  readonly #marks = new Uint8Array(capacity).fill(0)
  readonly #refused: Record<string, number> = {}
  readonly #unsure: Record<string, number> = {}
  #counts = { taken: 0, handled: 0, dead: 0, waiting: 0, repeated: 0 }
  #open = 0

  /** Taken, and neither handled nor dead nor put off. */
  get open(): number {
    return this.#open
  }

  /** Events that have come to an end, or were put off. */
  get ended(): number {
    return this.#counts.handled + this.#counts.dead + this.#counts.waiting
  }

  taken(n: number): void {
    this.#counts.taken++
    if ((this.#mark(n, taken) & ended) === 0) this.#open++
  }

  /** The number may be used again: nobody has it. */
  refused(code: string): void {
    this.#refused[code] = (this.#refused[code] ?? 0) + 1
  }

  unsure(n: number, code: string): void {
    this.#mark(n, unsure)
    this.#unsure[code] = (this.#unsure[code] ?? 0) + 1
  }

  handled(n: number): void {
    this.#end(n, handled, 'handled')
  }

  dead(n: number): void {
    this.#end(n, dead, 'dead')
  }

  waits(n: number): void {
    this.#end(n, waiting, 'waiting')
  }

  get account(): Account {
    const stray = this.#marks.reduce(
      (sum, mark) => sum + Number(mark !== 0 && (mark & (taken | unsure)) === 0),
      0,
    )
    return { ...this.#counts, refused: this.#refused, unsure: this.#unsure, open: this.#open, stray }
  }

  #end(n: number, as: number, count: 'handled' | 'dead' | 'waiting'): void {
    const before = this.#mark(n, as)
    if ((before & ended) !== 0) this.#counts.repeated++
    else {
      this.#counts[count]++
      if ((before & taken) !== 0) this.#open--
    }
  }

  /** Gives what was known before. */
  #mark(n: number, as: number): number {
    const before = this.#marks[n]
    if (before === undefined) throw new RangeError(`The ledger has no room for the event ${n}`)
    this.#marks[n] = before | as
    return before
  }
}

/** Numbers for events. One whose event was refused is used again. */
export class Numbers {
  readonly #free: number[] = []
  #next = 0

  take(): number {
    return this.#free.pop() ?? this.#next++
  }

  giveBack(n: number): void {
    this.#free.push(n)
  }
}
