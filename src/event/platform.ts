/// <reference lib="esnext.disposable" preserve="true" />
/*
 * Names that our declarations take from the platform. A compiler that knows none (no DOM, no @types/node) takes them from
 * here, as types that nothing is known of; elsewhere these lines add nothing to what is there.
 */
declare global {
  interface AbortSignal {}
  interface Request {}
  interface Response {}
}
