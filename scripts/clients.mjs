#!/usr/bin/env node
// Makes the real clients and Keystone ready in .tools/clients: `node scripts/clients.mjs`. When all is there it only looks.
import { clientsAreThere, installClients } from './setup/clients.mjs'
import { withLock } from './setup/lock.mjs'
import { SetupError } from './setup/platform.mjs'

try {
  if (!clientsAreThere()) await withLock(installClients)
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  console.error(`setup: ${error.message}`)
  process.exitCode = 1
}
