// The demo's course of events.
import { existsSync } from 'node:fs'
import { text, type Document } from '../../cli/json.ts'
import { formatBytes, formatCount, formatMicroseconds } from '../../cli/render/format.ts'
import { Problem } from '../up/problem.ts'
import { removeFolder } from '../up/remove.ts'
import { startStack, type Stack } from '../up/stack.ts'
import { Demo } from './api.ts'
import { aspects, differences, type Aspect } from './compare/compare.ts'
import { compareLive } from './compare/live.ts'
import { manifestOf, type Manifest } from './compare/manifest.ts'
import { changeTrees, makeTrees, openStage, sizeOf, startWriter, type Node, type Stage } from './stage.ts'
import type { MixedTree } from './trees/mixed.ts'
import type { Voice } from './voice.ts'
import {
  membersOf,
  wrongIncrement,
  wrongResults,
  type MemberSummary,
  type Summary,
  type TreeComparison,
} from './verdict.ts'

export interface PlayOptions {
  readonly voice: Voice
  /** Ends it early. */
  readonly signal: AbortSignal
  /** Leaves the folder where it is. */
  readonly keep: boolean
  /** A tenth of everything, for tests. */
  readonly small: boolean
}

/** A demo that came to its end. */
export interface Played {
  readonly summary: Summary
  /** Why something is not compared. */
  readonly why: ReadonlyMap<Aspect, string>
  /** Why there was nothing that could not be read; undefined when there was. */
  readonly allReadable: string | undefined
  /** The folder, when it is kept. */
  readonly kept: string | undefined
}

/** Plays the demo from its first folder to the last process's end. Throws a Problem, and the signal's reason once it aborts. */
export async function rehearse(options: PlayOptions): Promise<Played> {
  const { voice, keep } = options
  const begunMs = performance.now()
  const stage = await openStage()
  try {
    const { base, data } = stage
    const failed = new AbortController()
    const signal = AbortSignal.any([options.signal, failed.signal])
    await using stack = await voice.step(
      'stack',
      (tell) =>
        startStack({
          ...{ dataDir: data, signal, say: tell, agents: stage.nodes.map(({ agent }) => agent) },
          ...(keep ? {} : { remove: base }),
          crashed: ({ process, how, tail }) =>
            failed.abort(new Problem(`${process.name} has ended (${how})`, tail)),
        }),
      (stack) => `etcd, NATS, a server and ${stack.clients.length} agents are up at ${stack.url}`,
    )
    const played = await play(stage, stack, { ...options, signal })
    await voice.step(
      'stop',
      (tell) => stack.stop(tell),
      () => 'everything that was started is gone',
    )
    return {
      ...played,
      summary: { ...played.summary, ms: Math.round(performance.now() - begunMs) },
      kept: keep ? base : undefined,
    }
  } finally {
    if (!keep) removeFolder(stage.base)
  }
}

async function play(stage: Stage, stack: Stack, options: PlayOptions): Promise<Omit<Played, 'kept'>> {
  const { voice, signal } = options
  const size = sizeOf(options.small)
  const { trees, mixed, writer: started } = await prepare(stage, stack, options)
  await using writer = started
  using demo = new Demo(stack.url, stack.token, signal)

  const jobs: string[] = []
  for (const { client, tree } of stage.nodes) jobs.push(await demo.createJob(client, tree))
  const session = await demo.createSession(jobs)
  const first = await voice.bars('backup 1', (watcher) => demo.start(session, watcher), describeSet)
  const changes = await voice.step(
    'changes',
    () => changeTrees(stage, size),
    () => 'changed, moved, deleted and added files; the live tree never stops',
  )
  const second = await voice.bars('backup 2', (watcher) => demo.start(session, watcher), describeSet)
  const partial = new Set(mixed.unreadable.length > 0 ? ['mixed'] : [])
  const reasons = [...wrongResults(first, partial), ...wrongResults(second, partial)]
  const [ones, twos] = [membersOf(first), membersOf(second)]
  reasons.push(...(await unlistedIn(demo, ones, mixed)))
  for (const [nth, one] of ones.entries()) {
    const two = twos[nth]
    if (!two?.backup) continue
    const based = await demo.parentOf(two.backup)
    reasons.push(...wrongIncrement(one, two, based, changes.get(two.client)?.bytes))
  }

  const restore = await voice.bars(
    'restore',
    (watcher) => demo.restore(session, ones[0]?.tag ?? 1, stage.restored, watcher),
    (restore) => `set ${ones[0]?.tag ?? 1} into new places: ${text(restore, 'result')}`,
  )
  if (text(restore, 'result') !== 'success') reasons.push(`the restore ended ${text(restore, 'result')}`)
  await writer[Symbol.asyncDispose]()
  const compared = await voice.step(
    'compare',
    () => compareAll(stage, trees, mixed),
    ({ trees }) => `${formatCount(trees.reduce((sum, { files }) => sum + files, 0))} files with their hashes`,
  )
  reasons.push(...compared.reasons)
  const { live } = compared
  return {
    summary: {
      ...{ ok: reasons.length === 0, reasons, members: [...ones, ...twos], trees: compared.trees, live },
      unreadable: mixed.unreadable,
      ms: 0,
    },
    why: whyNot(stage, mixed),
    allReadable: stage.allReadable,
  }
}

/** Makes the trees, starts to write into one, and notes what the others are. */
async function prepare(stage: Stage, stack: Stack, { voice, small }: PlayOptions) {
  const mixed = await voice.step(
    'trees',
    () => makeTrees(stage, sizeOf(small)),
    () => stage.nodes.map(({ client, about }) => `${client}: ${about}`).join('; '),
  )
  const live = stage.nodes.find(({ isStatic }) => !isStatic)
  const writer = await startWriter(live?.tree ?? '', stack.env)
  const trees = await voice.step(
    'hashes',
    async () => {
      const manifests = new Map<string, Manifest>()
      for (const node of stage.nodes.filter(({ isStatic }) => isStatic))
        manifests.set(node.client, await manifestOf(node.tree, mixed.unreadable))
      return manifests
    },
    (manifests) =>
      [...manifests]
        .map(([client, it]) => `${client} ${formatCount(it.files)} files, ${formatBytes(it.bytes)}`)
        .join('; '),
  )
  return { trees, mixed, writer }
}

function describeSet(set: Document): string {
  const members = membersOf(set)
  const added = members.reduce((sum, { bytesAdded }) => sum + bytesAdded, 0)
  const bytes = members.reduce((sum, member) => sum + member.bytes, 0)
  const skew = members[0]?.startSkewUs
  return [
    `session tag ${text(set, 'tag')}: ${text(set, 'result')}, grade ${text(set, 'grade')}`,
    `${formatBytes(added)} of ${formatBytes(bytes)} added`,
    ...(skew === undefined ? [] : [`started within ${formatMicroseconds(skew)}`]),
  ].join(', ')
}

/** What could not be read has to be listed, all of it and nothing else. */
async function unlistedIn(
  demo: Demo,
  members: readonly MemberSummary[],
  mixed: MixedTree,
): Promise<string[]> {
  const member = members.find(({ client }) => client === 'mixed')
  if (!member || mixed.unreadable.length === 0) return []
  const listed = await demo.itemErrorsOf(member.run)
  return listed === mixed.unreadable.length
    ? []
    : [`${listed} unreadable things are listed, and there are ${mixed.unreadable.length}`]
}

async function compareAll(stage: Stage, before: ReadonlyMap<string, Manifest>, mixed: MixedTree) {
  const trees: TreeComparison[] = []
  const reasons: string[] = []
  for (const node of stage.nodes.filter(({ isStatic }) => isStatic)) {
    const was = before.get(node.client)
    if (!was) continue
    const place = placeOf(stage, node)
    if (!existsSync(place)) {
      reasons.push(`${node.client} did not come back`)
      continue
    }
    const is = await manifestOf(place, mixed.unreadable)
    const asked = new Set(aspects.filter((aspect) => !whyNot(stage, mixed).has(aspect)))
    const found = differences(was, is, asked)
    trees.push({
      client: node.client,
      files: is.files,
      bytes: is.bytes,
      compared: [...asked],
      differences: found,
    })
    reasons.push(
      ...found.map(
        ({ path, aspect, text }) => `${node.client}: ${aspect} of ${JSON.stringify(path)}: ${text}`,
      ),
    )
  }
  const node = stage.nodes.find(({ isStatic }) => !isStatic)
  const live = await compareLive(node?.tree ?? '', node ? placeOf(stage, node) : '')
  return { trees, live, reasons: [...reasons, ...live.problems.map((problem) => `live: ${problem}`)] }
}

/** A set's members come back each in a folder of its own, with the whole path that they had. */
const placeOf = ({ restored }: Stage, { client, tree }: Node): string => `${restored}/${client}${tree}`

function whyNot({ isRoot }: Stage, { withoutAttributes }: MixedTree): Map<Aspect, string> {
  return new Map<Aspect, string>([
    ...(isRoot ? [] : [['owner', 'not root'] as const]),
    ...(withoutAttributes === undefined ? [] : [['xattrs', withoutAttributes] as const]),
  ])
}
