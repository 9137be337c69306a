import { z } from 'zod'
import { actionExtensions } from './extensions.ts'
import { entryShape } from './job-document.ts'

const actionShape = { ...entryShape, firn: actionExtensions.optional() }

/** A whole action document, open. */
export const actionForm = z.looseObject(actionShape).meta({ id: 'FreezerAction' })

/** What a PATCH may say of an action; `freezer_action` and `firn` are merged key by key. */
export const actionChangeForm = z
  .looseObject({ ...actionShape, freezer_action: entryShape.freezer_action.optional() })
  .meta({ id: 'FreezerActionChange' })
