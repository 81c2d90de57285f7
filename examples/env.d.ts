// The environment variables that the examples read.
declare namespace NodeJS {
  interface ProcessEnv {
    /** The transport, such as `sqlite:shop.db`. Each example has a default. */
    readonly MILLRACE_URL?: string
    /** github-webhooks: the port to serve on. Default 3000. */
    readonly PORT?: string
    /** github-webhooks: the secret that senders sign with. Default: the example's own, for trying out. */
    readonly GITHUB_WEBHOOK_SECRET?: string
  }
}
