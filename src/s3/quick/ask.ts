import {
  type Agent as HttpAgent,
  type IncomingMessage,
  request as httpRequest,
  type RequestOptions,
} from 'node:http';
import { type Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { S3Client } from '@aws-sdk/client-s3';
import { QuickSigner, type Signed, type ToSign } from './sign.ts';
import { Useful } from './useful.ts';

/**
 * Requests without the layers of the SDK, which take several times as much of the processor as the requests themselves; it lends
 * its credentials. They know one way only: a server of its own address, with the bucket in the path. Where that is not so, and for
 * every answer but the plain ones, the SDK asks: it alone tries again, and tells what is wrong.
 */

/** Longest time without a byte in either direction, in ms, until an answer begins; then the SDK asks. A HEAD changes nothing. */
const SILENCE_MS = { HEAD: 10_000, GET: 10_000, PUT: 30_000 };
/** The same once it has begun: whoever reads may be slow. */
const BODY_SILENCE_MS = 60_000;
/** Longest answer that is kept whole, in bytes: an ETag with some words around it. */
const MOST_ANSWER_BYTES = 64 * 1024;
/** Other characters would be signed as UTF-8, and sent as Latin-1. */
const PLAIN = /^[\x20-\x7e]*$/;

/** What a client is reached by. */
export interface QuickRoute {
  readonly endpoint: URL;
  readonly httpAgent: HttpAgent;
  readonly httpsAgent: HttpsAgent;
}

export interface QuickRequest extends ToSign {
  /** Of which is noted whether it is of use. */
  readonly kind: 'head' | 'get' | 'put' | 'copy' | 'list';
}

interface Quick {
  /** Where requests go, as Node wants it. */
  readonly to: Pick<RequestOptions, 'host' | 'port' | 'agent'>;
  readonly request: typeof httpRequest;
  readonly signer: QuickSigner;
  readonly useful: Record<QuickRequest['kind'], Useful>;
}

const routes = new WeakMap<S3Client, Quick>();

/** Lets requests of a client be quick. */
export function allowQuick(client: S3Client, route: QuickRoute): void {
  const { endpoint, httpAgent, httpsAgent } = route;
  if (endpoint.pathname !== '/' || endpoint.search !== '') return;
  const isTls = endpoint.protocol === 'https:';
  routes.set(client, {
    to: {
      host: endpoint.hostname.replaceAll(/^\[|\]$/g, ''),
      port: endpoint.port,
      agent: isTls ? httpsAgent : httpAgent,
    },
    request: isTls ? httpsRequest : httpRequest,
    signer: new QuickSigner(client, endpoint),
    useful: {
      head: new Useful(),
      get: new Useful(),
      put: new Useful(),
      copy: new Useful(),
      list: new Useful(),
    },
  });
}

/**
 * What `read` makes of the answer; undefined where the SDK must ask, which may then be the second time that the server is asked.
 * @param read undefined for an answer of no use
 */
export async function askQuickly<T>(
  client: S3Client,
  request: QuickRequest,
  signal: AbortSignal | undefined,
  read: (answer: IncomingMessage) => Promise<T | undefined> | T | undefined,
): Promise<T | undefined> {
  const quick = routes.get(client);
  if (quick === undefined || !Object.values(request.headers).every((value = '') => PLAIN.test(value)))
    return undefined;
  return await quick.useful[request.kind].try(() => ask(quick, request, signal, read), signal);
}

/**
 * The whole body of a short answer; undefined for a longer one.
 * @param most bytes. Default {@link MOST_ANSWER_BYTES}
 */
export async function shortText(
  answer: IncomingMessage,
  most = MOST_ANSWER_BYTES,
): Promise<string | undefined> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of answer as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > most) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

async function ask<T>(
  quick: Quick,
  request: QuickRequest,
  signal: AbortSignal | undefined,
  read: (answer: IncomingMessage) => Promise<T | undefined> | T | undefined,
): Promise<T | undefined> {
  const answer = await send(quick, await quick.signer.sign(request), request.body, signal);
  const told = await read(answer);
  if (told !== undefined) return told;
  // Its connection is of use still, if it says itself that it is short.
  if (Number(answer.headers['content-length'] ?? Infinity) <= MOST_ANSWER_BYTES) answer.resume();
  else answer.destroy();
  return undefined;
}

function send(
  { to, request: begin }: Quick,
  { method, path, headers }: Signed,
  body: Uint8Array | undefined,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = {
      ...to,
      method,
      path,
      headers,
      timeout: SILENCE_MS[method],
      ...(signal !== undefined && { signal }),
    };
    const request = begin(options, (answer) => {
      request.setTimeout(BODY_SILENCE_MS);
      resolve(answer);
    });
    request.on('timeout', () => request.destroy(new Error('no answer')));
    request.on('error', reject);
    request.end(body);
  });
}
