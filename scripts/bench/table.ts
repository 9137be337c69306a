// The results as a table, for terminals and for docs/benchmarks.md.
import { readFile, writeFile } from 'node:fs/promises'
import { meets, type Figure, type Findings } from './figures.ts'
import type { MachineFacts } from './machine.ts'

/** What `--json` writes. */
export interface Results {
  readonly machine: MachineFacts
  readonly benchmarks: readonly (Findings & { readonly name: string; readonly seconds: number })[]
}

const head = ['figure', 'ours', 'limit', 'unit', 'ratio', 'expected', '']

/** Three digits that mean something. */
function shown(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return ''
  if (Math.abs(value) >= 1_000) return Math.round(value).toLocaleString('en')
  return Number(value.toPrecision(3)).toString()
}

function expectedText({ expected, ratio }: Figure): string {
  if (!expected) return ''
  const bound = 'atLeast' in expected ? `≥ ${expected.atLeast}` : `≤ ${expected.atMost}`
  return ratio === undefined ? `ours ${bound}` : bound
}

function rowsOf({ benchmarks }: Results): string[][] {
  return benchmarks.flatMap(({ figures }) =>
    figures.map((figure) => [
      figure.what,
      shown(figure.ours),
      shown(figure.limit),
      figure.unit,
      figure.ratio === undefined ? '' : figure.ratio.toFixed(2),
      expectedText(figure),
      { true: 'yes', false: 'no', undefined: '' }[String(meets(figure)) as 'true' | 'false' | 'undefined'],
    ]),
  )
}

const isNumber = (column: number): boolean => [1, 2, 4].includes(column)

export function tableOf(results: Results): string {
  const rows = [head, ...rowsOf(results)]
  const widths = head.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  const lines = rows.map((row) =>
    row
      .map((cell, column) =>
        isNumber(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  )
  return [...lines, '', factsOf(results)].join('\n')
}

function factsOf({ machine, benchmarks }: Results): string {
  const seconds = Math.round(benchmarks.reduce((sum, one) => sum + one.seconds, 0))
  return [
    `${machine.date.slice(0, 10)}, ${machine.cpu}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.kernel}`,
    `node ${machine.node}, etcd ${machine.etcd}, nats-server ${machine.nats}; ${seconds} s, load average ${machine.load.toFixed(1)}`,
  ].join('\n')
}

const begin = '<!-- results: written by `npm run bench -- --markdown docs/benchmarks.md` -->'
const end = '<!-- end of results -->'

/** Replaces the results in a document. Throws when it has no place for them. */
export async function updateMarkdown(file: string, results: Results): Promise<void> {
  const text = await readFile(file, 'utf8')
  const [from, to] = [text.indexOf(begin), text.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`${file} has no place for results: ${begin} … ${end}`)
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  const table = [
    line(head.with(-1, 'met')),
    line(head.map((_, column) => (isNumber(column) ? '--:' : '---'))),
    ...rowsOf(results).map(line),
  ]
  const part = [
    begin,
    '',
    ...table,
    '',
    ...factsOf(results)
      .split('\n')
      .map((fact) => `${fact}  `),
    '',
  ]
  await writeFile(file, text.slice(0, from) + part.join('\n') + '\n' + text.slice(to))
}
