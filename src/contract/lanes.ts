/**
 * What a driver with lanes takes of one lane ahead of the first event that is not settled: held, parked behind it, or settled
 * already. Then the lane pauses, with the notice LANE_PAUSED, and goes on when that event is settled; other lanes go on meanwhile.
 * Where events are settled one by one there is nothing to bound: what is held back stays in the system.
 */
export const maxAhead = { events: 10_000, bytes: 64 * 1024 * 1024 } as const
