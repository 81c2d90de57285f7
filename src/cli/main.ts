#!/usr/bin/env node
// Runs on Node 18 and newer, to say which Node is needed; so nothing is imported before that is known.
const { node } = process.versions
const [major = 0, minor = 0, patch = 0] = node.split('.').map(Number)
const fits =
  major > 24 ||
  (major === 24 && minor >= 15) ||
  (major === 22 && (minor > 22 || (minor === 22 && patch >= 3)))

if (fits) {
  // Not awaited: an app that ends by itself ends the process, and Node would call that an unsettled await.
  void import('./start.ts').then(({ start }) => start(process.argv.slice(2)))
} else {
  const { errorCodes } = await import('../errors/codes.ts')
  console.error(`millrace: Node.js ${node} is too old [NODE_TOO_OLD]\n${errorCodes.NODE_TOO_OLD.remedy}`)
  process.exitCode = 1
}
