import type { Limits } from '../../core/action.ts'
import type { Capacity } from '../ports/policy.ts'

/**
 * The limits that an action runs under: the stricter of its own and the node's. The node's bandwidth is for all its runs, and
 * no engine can change its share while it runs, so each gets what it may have when all places are taken.
 */
export function effectiveLimits(own: Limits, { limits: node, parallel }: Capacity): Limits {
  const share = (whole: number | undefined): number | undefined =>
    whole === undefined ? undefined : Math.max(1, Math.floor(whole / parallel))
  return present({
    uploadKiBs: least(own.uploadKiBs, share(node.uploadKiBs)),
    downloadKiBs: least(own.downloadKiBs, share(node.downloadKiBs)),
    nice: most(own.nice, node.nice),
    ioClass: own.ioClass === 'idle' || node.ioClass === 'idle' ? 'idle' : (own.ioClass ?? node.ioClass),
    ioLevel: most(own.ioLevel, node.ioLevel),
  })
}

const least = (...values: (number | undefined)[]): number | undefined => reduced(values, Math.min)
const most = (...values: (number | undefined)[]): number | undefined => reduced(values, Math.max)

function reduced(values: (number | undefined)[], by: (...n: number[]) => number): number | undefined {
  const known = values.filter((value) => value !== undefined)
  return known.length === 0 ? undefined : by(...known)
}

function present(limits: { [K in keyof Limits]-?: Limits[K] | undefined }): Limits {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined))
}
