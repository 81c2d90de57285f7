import { createHash } from 'node:crypto'

/** Chance that is the same for the same words: what it decides can be asked for again, in any process and any order. */
export interface Dice {
  /** From 0 up to but without 1. */
  next(): number
  /** Whole, from `low` up to and with `high`. */
  between(low: number, high: number): number
  pick<T>(list: readonly T[]): T
}

export function dice(seed: number, ...words: readonly (string | number)[]): Dice {
  const name = [seed, ...words].join('/')
  let numbers: number[] = []
  let page = 0
  const next = (): number => {
    if (numbers.length === 0) numbers = pageOf(`${name}/${page++}`)
    return numbers.pop() as number
  }
  const between = (low: number, high: number): number => low + Math.floor(next() * (high - low + 1))
  return { next, between, pick: (list) => list[between(0, list.length - 1)] as (typeof list)[number] }
}

function pageOf(name: string): number[] {
  const bytes = createHash('sha256').update(name).digest()
  return [0, 4, 8, 12, 16, 20, 24, 28].map((at) => bytes.readUInt32BE(at) / 2 ** 32)
}
