import { testTransport } from 'millrace/conformance'
import { arrays } from '../examples/custom-transport/array-transport.ts'

// The transport of docs/writing-a-transport.md, tested as a third party would: through the package.
testTransport('the example transport', { open: () => arrays() })
