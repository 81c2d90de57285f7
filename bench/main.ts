// npm run bench -- <row>... [--peers] [--quick], npm run bench -- --list
import { parseArgs } from 'node:util'
import { thisMachine } from './machine.ts'
import { full, measure, trial } from './measure.ts'
import { reportOf } from './report.ts'
import { keep, resultOf } from './results.ts'
import { rows } from './rows.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    list: { type: 'boolean', default: false },
    peers: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
  },
})

const wanted = rows.filter(({ name }) =>
  positionals.some((word) => name === word || name.startsWith(`${word}.`)),
)

if (values.list || wanted.length === 0) {
  console.log('npm run bench -- <row or system>... [--peers] [--quick]\n')
  for (const { name, about } of rows) console.log(`${name.padEnd(24)} ${about}`)
  process.exitCode = values.list ? 0 : 1
}

for (const row of wanted) {
  const machine = thisMachine()
  const { peers, quick } = values
  const measured = await measure(row, quick ? trial : full, { peers, quick })
  const result = resultOf(row, machine, measured)
  // A trial says nothing about speed, so it leaves no result.
  if (!quick) keep(result)
  console.log(`${reportOf(result)}\n`)
}
