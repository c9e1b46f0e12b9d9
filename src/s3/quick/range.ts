import type { S3Client } from '@aws-sdk/client-s3';
import { bare, quoted } from '../answers.ts';
import type { AnswerHead } from './answer-head.ts';
import { type Coming, type ConnectionRoute, IntoBuffer } from './into-buffer.ts';
import { QuickSigner, type Signed } from './sign.ts';
import { Useful } from './useful.ts';

/**
 * Ranges of large objects, for a third of the processor's time that the SDK takes for them. As with the other quick requests,
 * whatever is not the plain answer is for the SDK: it asks anew, tries again, and tells what is wrong.
 */

/** Connections that wait for their next request, 16 KiB each; what is more is closed. */
const MOST_IDLE = 16;
/** Other characters would be signed as UTF-8, and sent as Latin-1; some would begin another line. */
const PLAIN = /^[\x20-\x7e]*$/;
const PLAIN_PATH = /^[\x21-\x7e]*$/;

export interface QuickRange {
  readonly bucket: string;
  readonly key: string;
  /** Of the version that is wanted, without quotes. */
  readonly etag: string;
  readonly start: number;
  /** The first byte that is not wanted any more, more than `start`. */
  readonly end: number;
  /** Further headers, names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

const routes = new WeakMap<S3Client, QuickRanges>();

/** Lets ranges of a client be quick: for a server of its own address, with the bucket in the path. */
export function allowQuickRanges(client: S3Client, route: ConnectionRoute): void {
  const { pathname, search } = route.endpoint;
  if (pathname !== '/' || search !== '') return;
  routes.set(client, new QuickRanges(client, route));
}

/** Closes the connections that ranges of the client have opened; reads under way then fail. */
export function closeQuickRanges(client: S3Client): void {
  routes.get(client)?.[Symbol.dispose]();
}

/**
 * Reads a range into the beginning of `into`, which is nobody else's until `full` has settled. Resolves once its first bytes
 * come; to undefined where the SDK must ask.
 */
export async function quickRange(
  client: S3Client,
  range: QuickRange,
  into: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<Coming | undefined> {
  return await routes.get(client)?.read(range, into.subarray(0, range.end - range.start), signal);
}

class QuickRanges implements Disposable {
  readonly #route: ConnectionRoute;
  readonly #signer: QuickSigner;
  readonly #idle: IntoBuffer[] = [];
  readonly #busy = new Set<IntoBuffer>();
  readonly #useful = new Useful();
  #isClosed = false;

  constructor(client: S3Client, route: ConnectionRoute) {
    this.#route = route;
    this.#signer = new QuickSigner(client, route.endpoint);
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const connection of [...this.#idle, ...this.#busy]) connection.close();
  }

  async read(
    range: QuickRange,
    into: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<Coming | undefined> {
    if (this.#isClosed) return undefined;
    return await this.#useful.try(() => this.#read(range, into, signal), signal);
  }

  async #read(
    range: QuickRange,
    into: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<Coming | undefined> {
    // What can't be signed is told by the SDK.
    const signed = await this.#sign(range).catch(() => undefined);
    if (signed === undefined || !isPlain(signed) || signal?.aborted === true) return undefined;
    const connection = this.#take();
    const close = (): void => connection.close();
    signal?.addEventListener('abort', close, { once: true });
    const left = (): void => {
      signal?.removeEventListener('abort', close);
      this.#leave(connection);
    };
    const coming = await connection.ask(linesOf(signed), into, (head) => isRange(head, range));
    if (coming === undefined) left();
    else coming.full.then(left, left);
    return coming;
  }

  async #sign({ bucket, key, etag, start, end, headers }: QuickRange): Promise<Signed> {
    const condition = { range: `bytes=${start}-${end - 1}`, 'if-match': quoted(etag) };
    return await this.#signer.sign({ method: 'GET', bucket, key, headers: { ...headers, ...condition } });
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
    if (this.#isClosed || this.#idle.length >= MOST_IDLE) connection.close();
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

/** Whether these are just the bytes asked for, of just this version; not every server heeds a condition. */
function isRange({ status, headers }: AnswerHead, { etag, start, end }: QuickRange): boolean {
  const told = /^bytes (\d+-\d+)\/\d+$/.exec(headers.get('content-range') ?? '')?.[1];
  return status === 206 && told === `${start}-${end - 1}` && bare(headers.get('etag')) === etag;
}
