import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { defineConfig } from 'vitest/config'
import { WaitingFirst } from './test/sequencer.ts'

// Tests start hundreds of processes, nearly all of the same code: what one of them has compiled the others read.
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, 'node_modules/.cache/compiled')

export default defineConfig({
  test: {
    include: ['{src,test,bench}/**/*.test.ts'],
    // Only ends what hangs, on machines that are busy, too; what a test waits for, it bounds itself.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Most files wait for servers, processes and leases more than they compute.
    maxWorkers: 2 * availableParallelism(),
    sequence: { sequencer: WaitingFirst },
    globalSetup: 'test/servers/global-setup.ts',
    // The second one ends the output with the line that CI reads.
    reporters: ['default', './test/reporter.ts'],
    typecheck: {
      enabled: true,
      include: ['src/**/*.test-d.ts', 'test/**/*.test-d.ts'],
      // The rest of the sources is the business of `npm run check`.
      ignoreSourceErrors: true,
    },
  },
})
