import { can, type Library } from './library.ts'

/** What `prisma.$transaction` hands to its callback. */
export interface PrismaTransaction {
  $queryRawUnsafe(query: string, ...values: string[]): PromiseLike<unknown>
  /** The client itself has it, a transaction does not. */
  readonly $connect?: never
}

export const prisma: Library = {
  transaction: 'the `tx` that `$transaction` of Prisma hands to its callback',
  join(candidate) {
    if (!isPrisma(candidate)) return undefined
    if (can(candidate, '$connect')) return 'The client of Prisma itself has none'
    return (sql, values) => candidate.$queryRawUnsafe(sql, ...values)
  },
}

function isPrisma(candidate: object): candidate is {
  $queryRawUnsafe(query: string, ...values: readonly string[]): PromiseLike<readonly unknown[]>
} {
  return can(candidate, '$queryRawUnsafe')
}
