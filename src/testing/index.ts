export { testing, type TestApp } from './test-app.ts'
export { testContext, type TestContext } from './test-context.ts'
