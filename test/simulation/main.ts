import { parseArgs } from 'node:util'
const { values } = parseArgs({ options: { seed: { type: 'string' }, seeds: { type: 'string' }, from: { type: 'string' } } })
const { simulate } = await import('./simulate.ts')
if (values.seed !== undefined) {
  const lines: string[] = []
  const o = await simulate(Number(values.seed), (at, who, what) => void lines.push(`${at} ${who.padEnd(8)} ${what}`))
  console.log(lines.join('\n')); console.log(o)
} else {
  const from = Number(values.from ?? 1), t = performance.now()
  let ev = 0, st = 0, bad = 0; const slots: Record<string, number> = {}
  for (let s = from; s < from + Number(values.seeds ?? 20); s++) {
    const o = await simulate(s)
    ev += o.events; st += o.starts
    for (const [k, v] of Object.entries(o.slots)) slots[k] = (slots[k] ?? 0) + v
    if (o.violation) { bad++; console.log(s, o.violation.message.slice(0, 600)) }
  }
  const n = Number(values.seeds ?? 20)
  console.log({ ms: (performance.now() - t) / n, events: ev / n, starts: st / n, slots, bad })
}
