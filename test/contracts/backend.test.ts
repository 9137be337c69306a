import { memoryStore } from '../../controller/memory/backend.ts'
import { backendContract } from './backend.ts'

backendContract('in memory', async () => {
  const store = memoryStore()
  return {
    join: async () => {
      const [backend, leadership] = [store.backend(), store.leadership()]
      return {
        backend,
        leadership,
        [Symbol.asyncDispose]: async () => {
          await leadership[Symbol.asyncDispose]()
          await backend[Symbol.asyncDispose]()
        },
      }
    },
    [Symbol.asyncDispose]: async () => {},
  }
})
