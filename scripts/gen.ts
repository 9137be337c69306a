// `npm run gen`: generates proto/gen from the .proto files.
import { generate } from './proto.ts'

generate()
