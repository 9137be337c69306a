import {
  connectivityState,
  Metadata,
  status,
  type CallOptions,
  type ChannelCredentials,
  type ChannelOptions,
  type Client,
  type ClientDuplexStream,
  type ServiceError,
} from '@grpc/grpc-js'
import { Host } from 'etcd3/lib/connection-pool.js'
import { failureOf } from './failure.ts'

/** The services of etcd that are used. */
export type Service = 'KV' | 'Watch' | 'Lease'

type Answer = (error: ServiceError | null, response: unknown) => void
type Unary = (request: object, metadata: Metadata, options: CallOptions, answer: Answer) => unknown
type Duplex = (metadata: Metadata) => unknown

/** After these the connection may be one that nobody answers on any more, though TCP has not noticed. */
const suspicious: readonly status[] = [status.DEADLINE_EXCEEDED, status.UNAVAILABLE]

/** One member of etcd: a connection for each service, made anew when it turns out to be dead. */
export class Endpoint {
  readonly #connect: () => Host
  #host: Host

  constructor(url: string, secret: ChannelCredentials, options: ChannelOptions) {
    this.#connect = () => new Host(url, secret, options)
    this.#host = this.#connect()
  }

  isReady(service: Service): boolean {
    return this.#client(service).getChannel().getConnectivityState(false) === connectivityState.READY
  }

  /** Resolves with itself once connected; rejects after `withinMs`. */
  awaitReady(service: Service, withinMs: number): Promise<this> {
    return new Promise((resolve, reject) => {
      this.#client(service).waitForReady(Date.now() + withinMs, (error) =>
        error ? reject(error) : resolve(this),
      )
    })
  }

  /**
   * One request and its answer. Rejects with an EtcdFailure, after `withinMs` at the latest; `onSuspicion` is called when
   * the failure may be this member's.
   */
  unary<Response>(
    service: Service,
    method: string,
    request: object,
    withinMs: number,
    onSuspicion: () => void,
  ): Promise<Response> {
    const host = this.#host
    const client = this.#client(service)
    const call = (client as unknown as Record<string, Unary>)[method]?.bind(client)
    if (!call) throw new Error(`etcd has no ${service}.${method}`)
    return new Promise((resolve, reject) => {
      call(request, new Metadata(), { deadline: Date.now() + withinMs }, (error, response) => {
        if (!error) return resolve(response as Response)
        if (suspicious.includes(error.code)) {
          if (this.#host === host) this.#renew()
          onSuspicion()
        }
        reject(failureOf(error))
      })
    })
  }

  /** A stream that the member itself ends when it has lost the other members (`hasleader`). */
  stream<Request, Response>(service: Service, method: string): ClientDuplexStream<Request, Response> {
    const client = this.#client(service)
    const open = (client as unknown as Record<string, Duplex>)[method]?.bind(client)
    if (!open) throw new Error(`etcd has no ${service}.${method}`)
    const metadata = new Metadata()
    metadata.set('hasleader', 'true')
    return open(metadata) as ClientDuplexStream<Request, Response>
  }

  close(): void {
    this.#host.close()
  }

  #client(service: Service): Client {
    return this.#host.getServiceClient(service)
  }

  /** A new connection; requests in flight on the old one still get their answers. */
  #renew(): void {
    const old = this.#host
    this.#host = this.#connect()
    old.close()
  }
}
