import { z } from 'zod'
import { metricsText } from './metrics.ts'
import { operation } from './operation.ts'
import type { Ask, Route } from './route.ts'

const tag = 'Server'

const readiness = z.object({
  status: z.enum(['ok', 'not ready']),
  etcd: z.enum(['ok', 'away']),
  loaded: z.boolean().meta({ description: 'Whether everything stored has been read once' }),
  nats: z
    .enum(['ok', 'away'])
    .meta({ description: 'Without it runs still start: it is told and not needed' }),
  leader: z.enum(['this', 'other', 'none']),
  draining: z.boolean().meta({ description: 'It was asked to end: send requests to another server' }),
  lines_open: z.int().meta({ description: 'Agents connected to this server' }),
})

/** Ready: the store answers, some server leads, and this one is not about to end. Without NATS runs still start, so it is told and not needed. */
function ready(ask: Ask): Response {
  const { live, context } = ask.served
  const { etcd, nats, leader, linesOpen, draining } = live.health()
  const isReady = context.state.loaded && etcd && leader !== 'none' && !draining
  const words = {
    status: isReady ? 'ok' : 'not ready',
    etcd: etcd ? 'ok' : 'away',
    loaded: context.state.loaded,
    nats: nats ? 'ok' : 'away',
    ...{ leader, draining },
    lines_open: linesOpen,
  }
  return ask.json(words, isReady ? 200 : 503)
}

const plain = (ask: Ask, text: string, type = 'text/plain; charset=utf-8'): Response =>
  new Response(text, { headers: { 'content-type': type, ...ask.headers() } })

export const healthRoutes: readonly Route[] = [
  operation({
    ...{ method: 'GET', path: '/healthz', role: 'nobody', errors: 'problem' },
    ...{ tag, id: 'getHealth', summary: 'Ask whether the process lives' },
    answers: { 200: z.object({ status: z.literal('ok') }) },
    answer: (ask) => ask.json({ status: 'ok' }),
  }),
  operation({
    ...{ method: 'GET', path: '/readyz', role: 'nobody', errors: 'problem' },
    ...{ tag, id: 'getReadiness', summary: 'Ask whether this server can serve' },
    answers: { 200: readiness, 503: readiness },
    answer: ready,
  }),
  operation({
    ...{ method: 'GET', path: '/healthcheck', role: 'nobody', errors: 'freezer' },
    ...{ tag, id: 'getHealthcheck', summary: "Ask as Freezer's load balancers do" },
    answers: { 200: 'text' },
    answer: (ask) => plain(ask, 'OK'),
  }),
  operation({
    ...{ method: 'GET', path: '/metrics', role: 'admin', errors: 'problem', gives: 'text/plain' },
    ...{ tag, id: 'getMetrics', summary: "Read counts in Prometheus' text format" },
    answers: { 200: 'text' },
    answer: (ask) => plain(ask, metricsText(ask.served), 'text/plain; version=0.0.4; charset=utf-8'),
  }),
]
