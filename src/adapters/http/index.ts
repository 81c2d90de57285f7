export { githubSignature } from './github-signature.ts'
export { httpIngress, type HttpIngressOptions } from './ingress.ts'
export { serve, type HttpServer, type ServeOptions } from './serve.ts'
