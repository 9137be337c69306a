import { z } from 'zod'
import { entryShape } from './job-document.ts'

/** A whole action document, open. */
export const actionForm = z.looseObject(entryShape).meta({ id: 'FreezerAction' })

/** What a PATCH may say of an action; `freezer_action` is merged key by key. */
export const actionChangeForm = z
  .looseObject({ ...entryShape, freezer_action: entryShape.freezer_action.optional() })
  .meta({ id: 'FreezerActionChange' })
