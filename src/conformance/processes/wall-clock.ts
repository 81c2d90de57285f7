/** Stands in for an operator who sets the clock: nothing else of the machine can be stepped for one test. */
export function stepWallClock(by: number): void {
  const before = Date.now
  Date.now = () => before() + by
}
