import { z } from 'zod'

const text = z.string().min(1)

/** The metadata that an agent uploads, open: that is all which it may not lack. */
export const backupForm = z
  .looseObject({ container: text, hostname: text, backup_name: text })
  .meta({ id: 'FreezerBackupMetadata' })
