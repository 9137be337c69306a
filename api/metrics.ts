import { kinds } from '../controller/ports/backend.ts'
import type { RunState } from '../core/run.ts'
import type { Served } from './deps.ts'

const runStates = [
  'waiting',
  'offered',
  'armed',
  'running',
  'unknown',
  'cancelling',
  'finished',
] as const satisfies readonly RunState['is'][]

type Labels = Readonly<Record<string, string | number>>

/** The state of this server in Prometheus' text format. Counts only: nothing here scans documents. */
export function metricsText({ context, live, recent, counts, version }: Served): string {
  const lines: string[] = []
  const metric = (
    name: string,
    help: string,
    type: 'gauge' | 'counter',
    values: readonly [Labels, number][],
  ) => {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`)
    for (const [labels, value] of values) lines.push(`${name}${textOf(labels)} ${value}`)
  }
  const { state } = context
  const { etcd, nats, leader, linesOpen } = live.health()
  metric('firn_info', 'The version of this server.', 'gauge', [[{ version }, 1]])
  metric(
    'firn_runs',
    'Runs stored, by state.',
    'gauge',
    runStates.map((is) => [{ state: is }, recent.countIn(is)]),
  )
  metric(
    'firn_documents',
    'Documents stored, by kind.',
    'gauge',
    kinds.map((kind) => [{ kind }, state.total(kind)]),
  )
  metric(
    'firn_unreadable_documents',
    'Documents of a later release, or damaged: they are kept as they are.',
    'gauge',
    [[{}, state.unreadableCount]],
  )
  metric('firn_lines_open', 'Agents connected to this server.', 'gauge', [[{}, linesOpen]])
  metric('firn_etcd_up', 'Whether the store answers.', 'gauge', [[{}, Number(etcd)]])
  metric('firn_nats_up', 'Whether NATS answers.', 'gauge', [[{}, Number(nats)]])
  metric('firn_leader', 'Whether this server plans.', 'gauge', [[{}, Number(leader === 'this')]])
  metric('firn_stale_seconds', 'How old reads may be.', 'gauge', [[{}, (state.staleMs ?? 0) / 1000]])
  const requests = [...counts.all()]
  metric(
    'firn_http_requests_total',
    'Requests answered, by route and status.',
    'counter',
    requests.map(({ route, status, count }) => [{ route, status }, count]),
  )
  metric(
    'firn_http_request_seconds_total',
    'Time until the answer began, by route and status.',
    'counter',
    requests.map(({ route, status, sumMs }) => [{ route, status }, sumMs / 1000]),
  )
  const { rss, heapUsed } = process.memoryUsage()
  metric('process_resident_memory_bytes', 'Memory of the process.', 'gauge', [[{}, rss]])
  metric('nodejs_heap_used_bytes', 'JavaScript heap in use.', 'gauge', [[{}, heapUsed]])
  metric('process_uptime_seconds', 'Since the process began.', 'gauge', [[{}, process.uptime()]])
  return `${lines.join('\n')}\n`
}

/** Values are route patterns, numbers and words of ours; a version may hold anything. */
function textOf(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) =>
      `${name}="${String(value).replace(/[\\"\n]/g, (sign) => (sign === '\n' ? '\\n' : `\\${sign}`))}"`,
  )
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}
