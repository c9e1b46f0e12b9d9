import type { S3Client } from '@aws-sdk/client-s3';
import { type Coming, type ConnectionRoute, IntoBuffer, type PlaceFor } from './into-buffer.ts';
import { QuickSigner, type Signed, type ToSign } from './sign.ts';

/** Other characters would be signed as UTF-8, and sent as Latin-1; some would begin another line. */
const PLAIN = /^[\x20-\x7e]*$/;
const PLAIN_PATH = /^[\x21-\x7e]*$/;

export interface ConnectionsRoute extends ConnectionRoute {
  /** Connections that wait for their next request, 16 KiB each; what is more is closed. */
  readonly mostIdle: number;
}

/** Connections to one server for requests without a body, as many as there are at a time. */
export class Connections implements Disposable {
  readonly #route: ConnectionsRoute;
  readonly #signer: QuickSigner;
  readonly #idle: IntoBuffer[] = [];
  readonly #busy = new Set<IntoBuffer>();
  #isClosed = false;

  constructor(client: S3Client, route: ConnectionsRoute) {
    this.#route = route;
    this.#signer = new QuickSigner(client, route.endpoint);
  }

  /** Closes all connections; reads under way fail. */
  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const connection of [...this.#idle, ...this.#busy]) connection.close();
  }

  /** Sends a request; see {@link IntoBuffer.ask}. Undefined also where it can't be signed, which the SDK tells. */
  async ask(
    request: ToSign,
    placeFor: PlaceFor,
    signal: AbortSignal | undefined,
  ): Promise<Coming | undefined> {
    const signed = await this.#signer.sign(request).catch(() => undefined);
    if (signed === undefined || !isPlain(signed) || signal?.aborted === true || this.#isClosed)
      return undefined;
    const connection = this.#take();
    const close = (): void => connection.close();
    signal?.addEventListener('abort', close, { once: true });
    const left = (): void => {
      signal?.removeEventListener('abort', close);
      this.#leave(connection);
    };
    const coming = await connection.ask(linesOf(signed), placeFor);
    if (coming === undefined) left();
    else coming.full.then(left, left);
    return coming;
  }

  #take(): IntoBuffer {
    let connection = this.#idle.pop();
    while (connection?.isIdle === false) connection = this.#idle.pop();
    connection ??= new IntoBuffer(this.#route);
    this.#busy.add(connection);
    return connection;
  }

  #leave(connection: IntoBuffer): void {
    this.#busy.delete(connection);
    if (!connection.isIdle) return;
    if (this.#isClosed || this.#idle.length >= this.#route.mostIdle) connection.close();
    else this.#idle.push(connection);
  }
}

function isPlain({ path, headers }: Signed): boolean {
  return PLAIN_PATH.test(path) && Object.values(headers).every((value) => PLAIN.test(value));
}

function linesOf({ method, path, headers }: Signed): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return [`${method} ${path} HTTP/1.1`, ...lines, '', ''].join('\r\n');
}
