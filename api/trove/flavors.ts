import { z } from 'zod'
import { Fault } from '../../core/fault.ts'
import type { Ask, Route } from '../route.ts'
import { linksTo, selfLinks } from './links.ts'
import { troveOperation } from './operation.ts'

/** The one flavor: the node as it is. Nobody is given a part of it, so its sizes say nothing. */
export const nodeFlavor = '1'
const nodeFlavorName = 'node'

export const flavorForm = z.object({
  id: z.number(),
  str_id: z.string(),
  name: z.string(),
  ram: z.number(),
  vcpus: z.number(),
  disk: z.number(),
  ephemeral: z.number(),
  links: selfLinks,
})

export const flavorOf = (ask: Ask): z.infer<typeof flavorForm> => ({
  ...{ id: Number(nodeFlavor), str_id: nodeFlavor, name: nodeFlavorName },
  ...{ ram: 0, vcpus: 0, disk: 0, ephemeral: 0 },
  links: linksTo(ask, `/flavors/${nodeFlavor}`),
})

/** Takes what clients send for a flavor: its id as a text or a number, its name, or a URL that ends in its id. */
export function demandFlavor(named: string | number): void {
  const last = String(named).split('/').at(-1)
  if (last !== nodeFlavor && last !== nodeFlavorName)
    throw new Fault('not_found', `no flavor ${String(named).slice(0, 80)}: the only one is ${nodeFlavor}`)
}

export const flavorRoutes: readonly Route[] = [
  troveOperation({
    ...{ method: 'GET', path: '/flavors', role: 'viewer' },
    ...{ id: 'listFlavors', summary: 'List the flavors: one, the node itself' },
    answers: { 200: z.object({ flavors: z.array(flavorForm) }) },
    answer: (ask) => ask.json({ flavors: [flavorOf(ask)] }),
  }),
  troveOperation({
    ...{ method: 'GET', path: '/flavors/:flavor', role: 'viewer' },
    ...{ id: 'showFlavor', summary: 'Show a flavor' },
    answers: { 200: z.object({ flavor: flavorForm }) },
    answer(ask) {
      if (ask.param('flavor') !== nodeFlavor)
        throw new Fault('not_found', `no flavor ${ask.param('flavor').slice(0, 80)}`)
      return ask.json({ flavor: flavorOf(ask) })
    },
  }),
]
