import { Worker } from 'node:worker_threads'
import { openEarlySync } from './early-sync.ts'

/**
 * Who waits for a pass: nobody, or this process with its writes, so that the log can begin anew behind it, or, if others of the
 * machine never pause, they as well.
 */
export type Waiting = 'nobody' | 'process' | 'machine'

/** Writes the log of a database back into its file. */
export interface Checkpointer {
  /** As far as no reader needs the log. Rejects if it cannot, and if the disk refused what it wrote: it is of no more use then. */
  pass(waiting: Waiting): Promise<void>
  close(): Promise<void>
}

/** For how long a pass waits, in milliseconds, for those who write to let it have the lock, and then for those who read. */
const lockLimit = 20

const hasEnded = 'The thread that writes the log back has ended'

/** As text, since a file of its own would be left behind where a program is put into one file. */
const script = `
  const { parentPort, workerData } = require('node:worker_threads')
  const { DatabaseSync } = require('node:sqlite')
  const database = new DatabaseSync(workerData, { timeout: ${lockLimit} })
  database.exec('PRAGMA synchronous = NORMAL; PRAGMA checkpoint_fullfsync = 1; PRAGMA wal_autocheckpoint = 0')
  const pass = database.prepare('PRAGMA wal_checkpoint(PASSIVE)')
  const passAlone = database.prepare('PRAGMA wal_checkpoint(FULL)')
  parentPort.on('message', (message) => {
    if (message === 'close') {
      database.close()
      parentPort.close()
    } else parentPort.postMessage((message === 'machine' ? passAlone : pass).get())
  })
  parentPort.postMessage('ready')
`

/**
 * A connection in a thread, since node:sqlite has no call that leaves the event loop free. Resolves when it is ready; rejects where
 * threads are not allowed.
 *
 * SQLite syncs the file in the last pass only, and all that passes have written; so what the others wrote is synced behind them,
 * which makes the last one a third as long.
 */
export async function checkpointThread(path: string, openSync = openEarlySync): Promise<Checkpointer> {
  // None of the program's own flags: they may load into each thread what it has no need of. Node 22 warns of SQLite, and has
  // done so, or not, as the program wanted it.
  const worker = new Worker(script, {
    eval: true,
    workerData: path,
    execArgv: ['--disable-warning=ExperimentalWarning'],
    name: 'millrace-checkpoints',
  })
  let answer = Promise.withResolvers<void>()
  let ended = false
  const gone = new Promise<void>((resolve) => {
    worker.on('exit', () => {
      ended = true
      answer.reject(new Error(hasEnded))
      resolve()
    })
  })
  worker.on('message', () => answer.resolve())
  worker.on('error', (error) => answer.reject(error))
  /** Only while somebody waits does the thread keep the process alive. */
  const waitedFor = async <T>(work: Promise<T>): Promise<T> => {
    worker.ref()
    try {
      return await work
    } finally {
      worker.unref()
    }
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
  const tell = (what: Waiting | 'close'): void => worker.postMessage(what)
  await waitedFor(answer.promise)
  const early = openSync(path)
  return {
    async pass(waiting) {
      if (ended) throw new Error(hasEnded)
      answer = Promise.withResolvers()
      tell(waiting)
      await waitedFor(answer.promise)
      if (waiting === 'nobody') await early?.sync()
    },
    async close() {
      tell('close')
      await waitedFor(gone)
      early?.close()
    },
  }
}
