// Prints the OpenAPI document that a server of this version answers at /openapi.json, without a server:
// `node_modules/.bin/node scripts/openapi.ts > openapi.json`.
const { openApiOf } = await import('../api/openapi/document.ts')
const { apiRoutes } = await import('../api/routes.ts')
const { version } = await import('../controller/version.ts')

process.stdout.write(`${JSON.stringify(await openApiOf(apiRoutes, version), null, 2)}\n`)
