import { Client, credentials, type ClientDuplexStream } from '@grpc/grpc-js'
import { serverTlsName, type ToAgent } from '../../core/link.ts'
import { lineService, messageBytesMax, type Received } from '../../proto/line.ts'
import type { ClientTls } from './options.ts'

/** A stream as grpc-js has it. */
export type ServerCall = ClientDuplexStream<Buffer, Received<ToAgent>>

const channelOptions = {
  'grpc.enable_channelz': 0,
  'grpc.enable_retries': 0,
  'grpc.max_receive_message_length': messageBytesMax,
  'grpc.max_send_message_length': messageBytesMax,
  // A dead server is noticed by nothing else: with these in about 7 s.
  'grpc.keepalive_time_ms': 5_000,
  'grpc.keepalive_timeout_ms': 2_000,
  'grpc.keepalive_permit_without_calls': 1,
  // A connection of its own for each line: ending one ends nothing else.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.service_config_disable_resolution': 1,
  'grpc.ssl_target_name_override': serverTlsName,
  // A proxy of the environment is for the web, not for this.
  'grpc.enable_http_proxy': 0,
}

/** Starts to connect. Throws for an address or PEM texts that are none. `close` drops the connection. */
export function dial(
  address: string,
  tls: ClientTls | 'plain',
): { readonly call: ServerCall; close(): void } {
  const client = new Client(
    address,
    tls === 'plain' ? credentials.createInsecure() : secure(tls),
    channelOptions,
  )
  const { path, requestSerialize, responseDeserialize } = lineService.connect
  try {
    const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize)
    return {
      call,
      close: () => {
        call.cancel()
        client.close()
      },
    }
  } catch (error) {
    client.close()
    throw error
  }
}

const secure = ({ ca, key, certificate }: ClientTls) =>
  credentials.createSsl(Buffer.from(ca), Buffer.from(key), Buffer.from(certificate))
