#!/usr/bin/env node
// Makes what only the campaign needs ready in .tools/campaign: `node scripts/campaign.mjs`. When all is there it only looks.
// What cannot be had costs the campaign some of its faults, and it says which.
import { fetchCampaignTools, missingCampaignTools } from './setup/campaign.mjs'
import { withLock } from './setup/lock.mjs'
import { SetupError } from './setup/platform.mjs'

try {
  if (missingCampaignTools().length > 0) await withLock(fetchCampaignTools)
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  console.error(`setup: ${error.message}`)
}
