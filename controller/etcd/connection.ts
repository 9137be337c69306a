import { credentials, type ChannelOptions, type ClientDuplexStream } from '@grpc/grpc-js'
import type * as rpc from 'etcd3'
import { Endpoint, type Service } from './endpoint.ts'
import { EtcdFailure } from './failure.ts'

/** How to reach etcd. */
export interface EtcdAccess {
  /** Client URLs (`https://host:2379`), at least one. A failing one does not stop the others. */
  readonly endpoints: readonly string[]
  /** The CA that etcd's certificate must be from, and this process's certificate and key, as PEM. Without: plain text. */
  readonly tls?: { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer }
}

/** A request that etcd answers at all is answered within milliseconds; what takes longer will not come. Milliseconds. */
export const unaryMsMax = 1_500

/** How long a request waits for a connection before it gives up unsent. Leaves time for the request within 2 s. */
const connectMsMax = 900

/** Answers this large are legal (etcd's own limit is on requests); beyond gRPC's default of 4 MB a listing would fail. */
const messageBytesMax = 64 * 1024 * 1024

const channelOptions: ChannelOptions = {
  // etcd closes a connection that pings oftener than every 5 s, or that pings at all without a request or stream on it. An
  // idle one that died is found by the deadline of its next request.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 3_000,
  'grpc.keepalive_permit_without_calls': 0,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.min_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.max_receive_message_length': messageBytesMax,
  'grpc.max_send_message_length': messageBytesMax,
  'grpc.enable_retries': 0,
  'grpc.enable_channelz': 0,
  'grpc.service_config_disable_resolution': 1,
  // Each channel its own connection: a new channel then is a new connection, and watches do not wait behind answers.
  'grpc.use_local_subchannel_pool': 1,
}

/** One open stream on a connection of its own. Closing cancels it and frees the connection. */
export interface OwnStream<Request, Response> extends Disposable {
  readonly duplex: ClientDuplexStream<Request, Response>
}

/**
 * The connections of one process to etcd: npm etcd3's messages and clients without its retries, circuit breakers and
 * connection resets, which repeat transactions and break other requests in flight.
 */
export class Connection implements Disposable {
  readonly #open: (index: number) => Endpoint
  readonly #endpoints: Endpoint[]
  #current = 0
  #streams = 0
  /** The endpoint of the stream that was given up last. */
  #left: number | undefined

  constructor(access: EtcdAccess) {
    if (access.endpoints.length === 0) throw new Error('no endpoint of etcd is given')
    const { tls, endpoints } = access
    const secret = tls ? credentials.createSsl(tls.ca, tls.key, tls.cert) : credentials.createInsecure()
    this.#open = (index) => new Endpoint(endpoints[index % endpoints.length] ?? '', secret, channelOptions)
    this.#endpoints = endpoints.map((_, index) => this.#open(index))
  }

  /** Each of these rejects with an EtcdFailure, at the latest after `withinMs`. None is ever sent twice. */
  range(request: rpc.IRangeRequest, withinMs = unaryMsMax): Promise<rpc.IRangeResponse> {
    return this.#unary('KV', 'range', request, withinMs)
  }

  txn(request: rpc.ITxnRequest, withinMs = unaryMsMax): Promise<rpc.ITxnResponse> {
    return this.#unary('KV', 'txn', request, withinMs)
  }

  grant(request: rpc.ILeaseGrantRequest, withinMs = unaryMsMax): Promise<rpc.ILeaseGrantResponse> {
    return this.#unary('Lease', 'leaseGrant', request, withinMs)
  }

  revoke(request: rpc.ILeaseRevokeRequest, withinMs = unaryMsMax): Promise<rpc.ILeaseRevokeResponse> {
    return this.#unary('Lease', 'leaseRevoke', request, withinMs)
  }

  /** A new watch stream, at another endpoint than the stream that was given up last. */
  watch(): OwnStream<rpc.IWatchRequest, rpc.IWatchResponse> {
    return this.#stream('Watch', 'watch')
  }

  /** A new stream that keeps leases alive, likewise. */
  keepAlive(): OwnStream<rpc.ILeaseKeepAliveRequest, rpc.ILeaseKeepAliveResponse> {
    return this.#stream('Lease', 'leaseKeepAlive')
  }

  [Symbol.dispose](): void {
    for (const endpoint of this.#endpoints) endpoint.close()
  }

  async #unary<Response>(
    service: Service,
    method: string,
    request: object,
    withinMs: number,
  ): Promise<Response> {
    const giveUpAt = performance.now() + withinMs
    const endpoint =
      this.#ready(service) ?? (await this.#awaitReady(service, Math.min(withinMs, connectMsMax)))
    return endpoint.unary<Response>(service, method, request, giveUpAt - performance.now(), () =>
      this.#turnFrom(endpoint),
    )
  }

  /** The endpoint in use while it is connected, else the next one that is. */
  #ready(service: Service): Endpoint | undefined {
    for (let n = 0; n < this.#endpoints.length; n++) {
      const index = (this.#current + n) % this.#endpoints.length
      const endpoint = this.#endpoints[index]
      if (endpoint?.isReady(service)) {
        this.#current = index
        return endpoint
      }
    }
    return undefined
  }

  async #awaitReady(service: Service, withinMs: number): Promise<Endpoint> {
    try {
      return await Promise.any(this.#endpoints.map((endpoint) => endpoint.awaitReady(service, withinMs)))
    } catch (cause) {
      throw new EtcdFailure('unsent', 'no endpoint of etcd can be connected', { cause })
    }
  }

  #turnFrom(endpoint: Endpoint): void {
    if (this.#endpoints[this.#current] === endpoint)
      this.#current = (this.#current + 1) % this.#endpoints.length
  }

  #stream<Request, Response>(service: Service, method: string): OwnStream<Request, Response> {
    const count = this.#endpoints.length
    // A lease that came back to a frozen member would be over before it came to the next one.
    if (count > 1 && this.#streams % count === this.#left) this.#streams++
    const index = this.#streams++ % count
    const endpoint = this.#open(index)
    const duplex = endpoint.stream<Request, Response>(service, method)
    return {
      duplex,
      [Symbol.dispose]: () => {
        this.#left = index
        // A cancelled stream still reports its cancellation.
        duplex.on('error', () => {})
        duplex.cancel()
        endpoint.close()
      },
    }
  }
}
