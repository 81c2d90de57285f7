/** What processes of the suite open: they import it with plain Node. */
export interface ModuleUnderTest {
  /** The URL of a module that exports `open(place: string, name: string)`. */
  readonly module: URL
  /** Where the system is: a URL, a path. It may hold what other tests left there: names are never used twice. */
  place(): string | Promise<string>
}
