/** A system that chaos can be made on. A further one is one file like its neighbours. */
export interface ChaosSystem {
  readonly name: string
  /** The lease of its queues, in milliseconds: the time until what a killed process had is handed out again. */
  readonly lease: number
  /** How long it may take on a busy machine until a settlement is committed that is recorded only, in milliseconds; 0: none is. */
  readonly settling: number
  /** What the wait of a retry goes by: a wall clock can be set meanwhile. */
  readonly retryClock: 'monotonic' | 'wall'
  /** The mean time between two interventions, in milliseconds: enough for the system to come round now and then. */
  readonly pace: number
  /** Whether its clients are in a pool that users may share. */
  readonly hasPool: boolean
  /** Starts one of its own, which keeps what it needs in `folder`. */
  start(folder: string): Promise<RunningSystem>
}

export interface RunningSystem extends AsyncDisposable {
  readonly url: string
  /** The URL of the Postgres that is the outbox. Only what uses it is disturbed then: publishers and relays. */
  readonly outbox?: string
  /** What can befall it, by name. Each makes it unusable for about so many milliseconds, and resolves when it is whole again. */
  readonly disturbances: Readonly<Record<string, (ms: number) => Promise<void>>>
}
