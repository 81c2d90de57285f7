/** The codes of the test kit, the HTTP ingress and the command line: a part of the table in codes.ts. */
export const toolCodes = {
  // testing
  TEST_NOT_IDLE: {
    summary:
      'A test waited for an app to come to rest, and for seconds nothing happened while a handler or a publish was under way.',
    remedy: 'Let the handler that the message names end, or give `testing(app, { timeout })` more time.',
  },
  TEST_NOT_DRAINED: {
    summary:
      'A test let the clock run, and after 10,000 steps events were still retried, deferred or delayed.',
    remedy: 'End the loop that the message names: limit the attempts, or do not publish or defer for ever.',
  },
  // http
  HTTP_METHOD: { summary: 'The ingress takes POST only.', remedy: 'Send a POST request.' },
  HTTP_UNVERIFIED: {
    summary: 'The signature or token of the request is missing or wrong.',
    remedy: 'Sign with the secret the receiver has.',
  },
  HTTP_TOO_LARGE: {
    summary: 'The request body is larger than `maxBytes` of the ingress.',
    remedy: 'Send less, or raise `maxBytes`.',
  },
  HTTP_MEDIA_TYPE: {
    summary: 'The content type is neither a CloudEvent nor something `toEvent` was given for.',
    remedy: 'Send application/cloudevents+json or ce- headers, or give the ingress a `toEvent`.',
  },
  HTTP_BAD_REQUEST: {
    summary: 'The request is not a valid event.',
    remedy: 'Correct what the message names.',
  },
  HTTP_TYPE_REFUSED: {
    summary: 'The ingress does not take events of this type.',
    remedy: 'Send a type listed in its `types`.',
  },
  HTTP_UNAVAILABLE: {
    summary:
      'The event could not be stored now: the store fails, or requests and publishes come faster than it takes them.',
    remedy: 'Send it again after the time in Retry-After.',
  },
  HTTP_UNVERIFIED_INGRESS: {
    summary: 'The HTTP ingress has no `verify`, so anybody who reaches the port can publish.',
    remedy: 'Give `http: { verify }`, or keep the port on 127.0.0.1.',
  },
  PORT_TAKEN: {
    summary: 'Another program listens on the port already.',
    remedy: 'End that program, or choose another port; port 0 takes any that is free.',
  },
  LISTEN_FAILED: {
    summary: 'The HTTP server cannot listen on this host and port, or cannot take connections.',
    remedy: '`cause` says why: a port under 1024 needs rights, a host must be an address of this machine.',
  },
  // command line
  USAGE: { summary: 'The command line has a mistake.', remedy: 'See `millrace --help`.' },
  MODULE_INVALID: {
    summary: 'The module could not be loaded or does not export an app as default.',
    remedy: 'End the module with `export default app`.',
  },
  MODULE_COMMONJS: {
    summary:
      'The module uses `import`, and the package.json above it says `"type": "commonjs"` (as `npm init` writes it).',
    remedy: 'Set it with `npm pkg set type=module`, or end the name of the file with `.mts` or `.mjs`.',
  },
} as const
