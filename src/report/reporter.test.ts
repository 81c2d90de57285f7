import { expect, test, vi } from 'vitest'
import { turns } from '../../test/signals.ts'
import { MillraceError } from '../errors/millrace-error.ts'
import { Reporter, stderrLogger } from './reporter.ts'

const about = { queue: 'billing', type: 'order.placed', id: '7' }

function reporting(): { reporter: Reporter; lines: string[] } {
  const lines: string[] = []
  const at = (level: string) => (line: unknown) => void lines.push(`${level} ${String(line)}`)
  return {
    reporter: new Reporter({ debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }),
    lines,
  }
}

test.each<[(reporter: Reporter) => void, string]>([
  [
    (r) => r.failed(about, 1, 4_200, new Error('card declined')),
    'warn millrace billing order.placed 7: attempt 1 failed: card declined; next try in 4.2 s',
  ],
  [
    (r) => r.failed(about, 2, 0, new MillraceError('NO_HANDLER', 'none')),
    'warn millrace billing order.placed 7: attempt 2 failed: none [NO_HANDLER]; next try now',
  ],
  [
    (r) => r.failed(about, 1, 60_000, Object.assign(new TypeError(''), { code: 'ECONNRESET' })),
    'warn millrace billing order.placed 7: attempt 1 failed: TypeError [ECONNRESET]; next try in 60.0 s',
  ],
  [
    (r) => r.dead(about, 1, new Error('x')),
    'error millrace billing order.placed 7: dead letter after 1 attempt: x',
  ],
  [
    (r) => r.dead(about, 25, new Error('x')),
    'error millrace billing order.placed 7: dead letter after 25 attempts: x',
  ],
  [
    (r) => r.notice({ ...about, code: 'LEASE_LOST', message: 'went elsewhere' }),
    'warn millrace billing order.placed 7: went elsewhere [LEASE_LOST]',
  ],
  [
    (r) => r.notice({ code: 'CONNECTION_LOST', message: 'gone', queue: 'billing', cause: new Error('cut') }),
    'warn millrace billing: gone: cut [CONNECTION_LOST]',
  ],
  [(r) => r.notice({ code: 'STOPPED', message: 'over' }, 'error'), 'error millrace over [STOPPED]'],
  // One line whatever is in it, and nothing a terminal would obey.
  [
    (r) => r.failed({ ...about, id: 'a\u001b[2J\nb' }, 1, 1, new Error('two\nlines\u0007')),
    'warn millrace billing order.placed a [2J b: attempt 1 failed: two lines; next try in 1 ms',
  ],
  [
    (r) => r.dead(about, 1, new Error('x'.repeat(400))),
    `error millrace billing order.placed 7: dead letter after 1 attempt: ${'x'.repeat(299)}…`,
  ],
  [
    (r) => r.dead(about, 1, Object.assign(new Error('x'), { message: { no: 'text' } })),
    'error millrace billing order.placed 7: dead letter after 1 attempt: [object Object]',
  ],
])('line %#', (report, line) => {
  const { reporter, lines } = reporting()
  report(reporter)
  expect(lines).toEqual([line])
})

test.each([
  ['no logger', undefined],
  [
    'a logger that throws',
    {
      ...stderrLogger,
      warn: () => {
        throw new Error('disk full')
      },
    },
  ],
  ['a logger without the method', {} as never],
])('%s harms nobody', (_name, logger) => {
  new Reporter(logger).notice({ ...about, code: 'LEASE_LOST', message: 'went' })
})

test('a notice goes to whoever asked for them, until they ask no more', () => {
  const { reporter, lines } = reporting()
  const notice = { ...about, code: 'LEASE_LOST', message: 'went' } as const
  const heard: unknown[] = []
  const off = reporter.onNotice((one) => heard.push(one))
  reporter.notice(notice)
  reporter.failed(about, 1, 1, new Error('x'))
  off()
  reporter.notice(notice)
  expect(heard).toEqual([notice])
  expect(lines).toHaveLength(3)
})

test('a function given to onNotice that throws is logged, and not told of itself', async () => {
  const { reporter, lines } = reporting()
  reporter.onNotice(() => {
    throw new Error('no network')
  })
  reporter.onNotice(async () => Promise.reject(new Error('no pager')))
  reporter.notice({ code: 'STOPPED', message: 'over' })
  await turns()
  expect(lines).toEqual([
    'warn millrace over [STOPPED]',
    'error millrace A function given to onNotice threw: no network [HOOK_FAILED]',
    'error millrace A function given to onNotice threw: no pager [HOOK_FAILED]',
  ])
})

test('the default logger writes what went wrong to stderr, and nothing else', () => {
  const stderr = vi.spyOn(console, 'error').mockReturnValue()
  for (const level of ['debug', 'info', 'warn', 'error'] as const) stderrLogger[level](level)
  expect(stderr.mock.calls).toEqual([['warn'], ['error']])
  stderr.mockRestore()
})
