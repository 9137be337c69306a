import type { JobAction, JsonObject } from '../../core/action.ts'
import { entryView } from './job-view.ts'
import type { Version } from './shown.ts'

/** A stored action. */
export const actionView = (
  action: JobAction & { project: string; user: string; version: number },
  version: Version,
): JsonObject => ({ ...entryView(action, action, version), _version: action.version })
