/** Ends this process, whatever it does, when the harness that forked it is gone. */
export function endWithHarness(): void {
  process.on('disconnect', () => process.exit(1))
  process.channel?.unref()
}
