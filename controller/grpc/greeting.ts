import { status } from '@grpc/grpc-js'
import type { Hello, ToServer } from '../../core/link.ts'
import { agreed, type Protocols } from '../../core/protocol.ts'
import type { Received } from '../../proto/line.ts'
import type { EndStatus, LineCall } from './line.ts'
import type { Certified } from './sockets.ts'

/** A hello that may become a line, or what its sender is told. */
export type Greeting =
  | { readonly ok: true; readonly hello: Hello; readonly protocol: number }
  | { readonly ok: false; readonly told: EndStatus }

const refusal = (code: status, details: string): Greeting => ({ ok: false, told: { code, details } })

/** Waits for the first message of a stream and judges it. Resolves with undefined when the stream ends before. */
export function greeting(
  call: LineCall,
  helloMs: number,
  judge: (hello: Hello) => Greeting,
): Promise<Greeting | undefined> {
  return new Promise((resolve) => {
    const settle = (greeting: Greeting | undefined) => {
      clearTimeout(timer)
      call.off('data', data).off('end', gone).off('cancelled', gone)
      // Nothing may be read before somebody else listens.
      call.pause()
      resolve(greeting)
    }
    const data = (received: Received<ToServer>) => {
      if (!received.ok) return settle(refusal(status.INVALID_ARGUMENT, received.fault.message))
      if (received.message.type !== 'hello')
        return settle(refusal(status.FAILED_PRECONDITION, 'the first message must be a hello'))
      settle(judge(received.message.hello))
    }
    const gone = () => settle(undefined)
    const timer = setTimeout(() => settle(refusal(status.DEADLINE_EXCEEDED, 'no hello in time')), helloMs)
    call.on('data', data).on('end', gone).on('cancelled', gone)
  })
}

/**
 * What a hello leads to on a server that speaks `own`. With `certified` the hello must say the same as the certificate; `admits` has the last word.
 */
export function judgeHello(
  hello: Hello,
  certified: Certified | 'anybody',
  admits: (fingerprint: string) => boolean,
  own: Protocols,
): Greeting {
  if (certified !== 'anybody' && (certified.project !== hello.project || certified.client !== hello.client))
    return refusal(status.PERMISSION_DENIED, 'the certificate is for another client')
  if (!admits(certified === 'anybody' ? '' : certified.fingerprint))
    return refusal(status.PERMISSION_DENIED, 'this client may not connect')
  const protocol = agreed(hello.protocol, own)
  if (protocol === undefined)
    return refusal(
      status.FAILED_PRECONDITION,
      `the agent speaks protocols ${hello.protocol.from} to ${hello.protocol.to}, this server ${own.from} to ${own.to}`,
    )
  return { ok: true, hello, protocol }
}
