import { keptPlace } from './place.ts'
import { githubApp } from './queues.ts'

// What `npx millrace run|queues|dead ... examples/github-webhooks/app.ts` works with.
export default githubApp(keptPlace())
