import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['{src,test,bench}/**/*.test.ts'],
    // For machines that are busy; what a test waits for, it bounds itself.
    testTimeout: 20_000,
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
