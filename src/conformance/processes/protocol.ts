import type { Transport } from '../../contract/transport.ts'

/*
 * What a case and its worker processes say to each other. A worker gets its setup as its argument and commands as lines
 * of its standard input; it writes a line of JSON for each thing that happens, at once, so that what it did is known even
 * of a process that was killed.
 */

/** The module that a worker imports. */
export interface TransportModule {
  /** A transport on the system at `place`, which holds what others put there. */
  open(place: string): Transport | Promise<Transport>
}

export interface WorkerSetup {
  readonly module: string
  readonly place: string
  /** consume: handles the queue. publish: publishes numbers until it is stopped or killed. both: at once. */
  readonly role: 'consume' | 'publish' | 'both'
  readonly topic: string
  readonly queue: string
  readonly options: WorkerOptions
}

/** Times are in milliseconds. */
export interface WorkerOptions {
  readonly lease?: number
  readonly concurrency?: number
  readonly prefetch?: number
  readonly maxHandling?: number
  readonly order?: 'none' | { readonly by: 'key' }
  /** Handler runs of one event before it is a dead letter; they follow each other at once. Default 3. */
  readonly attempts?: number
  /** What `stop` gives the handlers. Default 10,000. */
  readonly stopTimeout?: number
}

/** The data of an event: its number, and what its handler does. */
export interface Errand {
  readonly n: number
  /** hold: waits for the command `go` or `fail`. kill: kills its process. hang: never ends, whatever its signal says. */
  readonly does: 'nothing' | 'work' | 'hold' | 'kill' | 'hang'
  /** How long `work` takes. */
  readonly ms?: number
}

/** echo: it says so at once. go, fail: what holds ends so. block: the event loop stands still. step: the wall clock jumps. stop: the app stops. */
export type Command = 'echo' | 'go' | 'fail' | 'stop' | `block ${number}` | `step ${number}`

/** What happened in a worker. */
export interface Line {
  readonly what: 'ready' | 'start' | 'end' | 'published' | 'log' | 'echo' | 'stopped'
  /** Milliseconds by the machine's monotonic clock. */
  readonly at: number
  /** The event's number; for `stopped` how long it took, in milliseconds. */
  readonly n?: number
  readonly attempt?: number
  readonly text?: string
}
