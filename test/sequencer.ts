import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Files that wait for servers and processes, some of them for a minute. */
const waits =
  /\/(adapters\/(kafka|postgres|sqlite)|chaos|cli|kafka|outbox|overload|postgres|processes|servers)\//

/** Those begin first, and what only computes fills up the rest, so that no long one is left to run alone in the end. */
export class WaitingFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line no-array-sort -- not an array's
    const sorted = await super.sort(files)
    return [true, false].flatMap((wanted) => sorted.filter(({ moduleId }) => waits.test(moduleId) === wanted))
  }
}
