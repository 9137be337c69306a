import { metricsText } from './metrics.ts'
import type { Ask, Route } from './route.ts'

/** Ready: the store answers and some server leads. Without NATS runs still start, so it is told and not needed. */
function ready(ask: Ask): Response {
  const { live, context } = ask.served
  const { etcd, nats, leader, linesOpen } = live.health()
  const isReady = context.state.loaded && etcd && leader !== 'none'
  const words = {
    status: isReady ? 'ok' : 'not ready',
    etcd: etcd ? 'ok' : 'away',
    loaded: context.state.loaded,
    nats: nats ? 'ok' : 'away',
    leader,
    lines_open: linesOpen,
  }
  return ask.json(words, isReady ? 200 : 503)
}

const plain = (ask: Ask, text: string, type = 'text/plain; charset=utf-8'): Response =>
  new Response(text, { headers: { 'content-type': type, ...ask.headers() } })

export const healthRoutes: readonly Route[] = [
  {
    ...{ method: 'GET', path: '/healthz', role: 'nobody', errors: 'problem' },
    answer: (ask) => ask.json({ status: 'ok' }),
  },
  { method: 'GET', path: '/readyz', role: 'nobody', errors: 'problem', answer: ready },
  {
    ...{ method: 'GET', path: '/healthcheck', role: 'nobody', errors: 'freezer' },
    answer: (ask) => plain(ask, 'OK'),
  },
  {
    ...{ method: 'GET', path: '/metrics', role: 'viewer', errors: 'problem', gives: 'text/plain' },
    answer: (ask) => plain(ask, metricsText(ask.served), 'text/plain; version=0.0.4; charset=utf-8'),
  },
]
