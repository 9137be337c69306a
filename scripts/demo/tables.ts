// The demo's end, as tables.
import { paintState, type Paint } from '../../cli/render/colour.ts'
import { formatBytes, formatCount, formatDuration, formatMicroseconds } from '../../cli/render/format.ts'
import { table } from '../../cli/render/table.ts'
import { aspects, type Aspect } from './compare/compare.ts'
import type { MemberSummary, Summary, TreeComparison } from './verdict.ts'

/** One row for each member of each set. */
export function backupTable(members: readonly MemberSummary[], style: Paint): string[] {
  return table(
    members,
    [
      { title: 'TAG', cell: ({ tag }) => String(tag), align: 'right' },
      { title: 'NODE', cell: ({ client }) => client },
      { title: 'FILES', cell: ({ files }) => formatCount(files), align: 'right' },
      { title: 'BYTES', cell: ({ bytes }) => formatBytes(bytes), align: 'right' },
      { title: 'ADDED', cell: ({ bytesAdded }) => formatBytes(bytesAdded), align: 'right' },
      { title: 'DURATION', cell: ({ durationMs }) => formatDuration(durationMs), align: 'right' },
      {
        title: 'START SKEW',
        cell: ({ startSkewUs }) => (startSkewUs === undefined ? '' : formatMicroseconds(startSkewUs)),
        align: 'right',
      },
      { title: 'GRADE', cell: ({ grade }) => grade },
      {
        title: 'RESULT',
        cell: ({ result }) => result,
        style: ({ result }, text) => paintState(result, style)(text),
      },
    ],
    { heading: style.dim },
  )
}

/** One row for each restored tree: what was compared, and what came of it. */
export function restoreTable(summary: Summary, why: ReadonlyMap<Aspect, string>, style: Paint): string[] {
  const { live } = summary
  const rows = [
    ...summary.trees.map((tree) => ({
      client: tree.client,
      files: tree.files,
      cells: aspects.map((aspect) => cellOf(tree, aspect, why)),
      result: tree.differences.length === 0 ? 'identical' : `${tree.differences.length} differences`,
      isGood: tree.differences.length === 0,
    })),
    {
      client: 'live',
      files: live.files,
      cells: aspects.map((aspect) => (aspect === 'bytes' ? 'prefix' : '')),
      result: liveResult(summary),
      isGood: live.problems.length === 0,
    },
  ]
  return table(
    rows,
    [
      { title: 'RESTORED', cell: ({ client }) => client },
      { title: 'FILES', cell: ({ files }) => formatCount(files), align: 'right' },
      ...aspects.map((aspect, at) => ({
        title: aspect.toUpperCase(),
        cell: ({ cells }: (typeof rows)[number]) => cells[at] ?? '',
      })),
      {
        title: 'RESULT',
        cell: ({ result }) => result,
        style: ({ isGood }, text) => (isGood ? style.good(text) : style.bad(text)),
      },
    ],
    { heading: style.dim },
  )
}

function cellOf(tree: TreeComparison, aspect: Aspect, why: ReadonlyMap<Aspect, string>): string {
  if (!tree.compared.includes(aspect)) return why.get(aspect) ?? 'skipped'
  const wrong = tree.differences.filter((it) => it.aspect === aspect).length
  return wrong === 0 ? 'same' : `${wrong} differ`
}

function liveResult({ live }: Summary): string {
  if (live.problems.length > 0) return `${live.problems.length} files are wrong`
  const whole = live.files - live.torn.length
  return `${formatCount(live.records)} records, ${whole} files whole, ${live.torn.length} torn`
}
