import path from 'node:path'
import type { Server } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { ReflectionService } from '@grpc/reflection'
import { HealthImplementation } from 'grpc-health-check'
import { lineServiceName } from '../../proto/line.ts'

const protoDir = path.join(import.meta.dirname, '../../proto')

/** Says by gRPC's health service whether this server takes agents. */
export interface HealthSwitch {
  serving(serving: boolean): void
}

/** Adds gRPC's health service, and reflection over our .proto files, to a server. */
export function addStandardServices(server: Server): HealthSwitch {
  const files = ['firn/v1/agent.proto', 'firn/v1/report.proto']
  new ReflectionService(loadSync(files, { includeDirs: [protoDir], keepCase: true })).addToServer(server)
  const health = new HealthImplementation()
  health.addToServer(server)
  const serving = (serving: boolean) => {
    // '' stands for the server as a whole.
    for (const name of ['', lineServiceName]) health.setStatus(name, serving ? 'SERVING' : 'NOT_SERVING')
  }
  serving(true)
  return { serving }
}
