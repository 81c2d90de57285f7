import type { Reporter, TestModule } from 'vitest/node'

/**
 * Makes `N passed, N failed, N skipped` the very last line of a run. What fails outside a test (a file that
 * does not load, a hook, an unhandled rejection) counts as a failure: zero failed means exit code 0.
 */
export default class CountReporter implements Reporter {
  #counts = { passed: 0, failed: 0, skipped: 0 }

  onInit(): void {
    process.once('exit', (code) => {
      const { passed, failed, skipped } = this.#counts
      const unexplained = code !== 0 && failed === 0 ? 1 : 0
      process.stdout.write(`${passed} passed, ${failed + unexplained} failed, ${skipped} skipped\n`)
    })
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    this.#counts = { passed: 0, failed: unhandledErrors.length, skipped: 0 }
    for (const module of modules) this.#count(module)
  }

  #count(module: TestModule): void {
    let failed = module.errors().length
    for (const suite of module.children.allSuites()) failed += suite.errors().length
    for (const test of module.children.allTests()) {
      const { state } = test.result()
      if (state === 'failed') failed++
      else this.#counts[state === 'passed' ? 'passed' : 'skipped']++
    }
    if (failed === 0 && module.state() === 'failed') failed = 1
    this.#counts.failed += failed
  }
}
