import type { EngineContext, EngineTask } from '../../ports/engine.ts'
import { cacheFolder } from './tool.ts'

/** The command line of a backup of these sources. */
export function backupArguments(
  task: Extract<EngineTask, { do: 'backup' }>,
  context: EngineContext,
  paths: readonly string[],
  parent: string | undefined,
): string[] {
  const { action, repository } = task
  const tags = Object.entries(context.tags).map(([key, value]) => tagOf(key, value))
  const own = [repository.location, cacheFolder(context, repository)].filter((at) =>
    paths.some((source) => isInside(at, source)),
  )
  return [
    'backup',
    '--json',
    `--host=${context.host}`,
    // Without either, restic would choose a parent by itself.
    parent === undefined ? '--force' : `--parent=${parent}`,
    ...(tags.length === 0 ? [] : [`--tag=${tags.join(',')}`]),
    ...action.excludes.map((pattern) => `--exclude=${pattern}`),
    // A repository that saves itself grows by its own size each time.
    ...own.map((at) => `--exclude=${literalPattern(at)}`),
    ...(action.oneFileSystem ? ['--one-file-system'] : []),
    '--',
    ...paths,
  ]
}

/** A comma would end the tag. */
export const tagOf = (key: string, value: string): string => `${key}:${value}`.replaceAll(',', '_')

const isInside = (at: string, folder: string): boolean =>
  at.startsWith('/') && at.startsWith(folder.endsWith('/') ? folder : `${folder}/`)

/** A path as a pattern of restic's that matches nothing else. */
export const literalPattern = (at: string): string => at.replace(/[*?[\]\\]/g, '\\$&')
