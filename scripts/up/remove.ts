import { chmodSync, lstatSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'

/** Removes a folder with everything in it, folders that nobody may enter included. Never throws; what stays, stays. */
export function removeFolder(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  } catch {
    open(folder)
    try {
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    } catch {
      // Somebody else's.
    }
  }
}

function open(folder: string): void {
  try {
    if (!lstatSync(folder).isDirectory()) return
    chmodSync(folder, 0o700)
    for (const entry of readdirSync(folder, { withFileTypes: true }))
      if (entry.isDirectory()) open(path.join(folder, entry.name))
  } catch {
    // Somebody else's, or just gone.
  }
}
