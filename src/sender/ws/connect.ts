import type { IncomingMessage } from 'node:http';
import { Agent } from 'node:https';
import type { Socket } from 'node:net';
import { WebSocket, type ClientOptions, type RawData } from 'ws';
import type { BufferPool } from '../../flow/buffer-pool.ts';
import { apartFromRead, readLargeInRing } from '../../http/large-reads.ts';
import { isLoopback } from '../../http/listen-address.ts';
import { proxyFor } from '../../http/proxy-for.ts';
import type { DigestAlgorithm } from '../../model/digest.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { decodeReceiverMessage, encode } from '../../protocol/codec.ts';
import {
  MAX_HELLO_BYTES,
  MAX_MESSAGE_BYTES,
  PROTOCOL_VERSION,
  REPLICATE_PATH,
  SUBPROTOCOL,
} from '../../protocol/limits.ts';
import type { Welcome } from '../../protocol/messages.ts';
import { connectError, notWelcomed, refusalError, unreachable } from './connect-errors.ts';
import { NO_ANSWER } from './connect-hints.ts';
import { closeError, protocolFault } from './faults.ts';
import { receiveInto } from './receive-into.ts';

/** From the first packet to the WebSocket standing, in ms: name lookup, TCP, TLS and upgrade on a bad link. */
const CONNECT_DEADLINE_MS = 10_000;
/**
 * From HELLO to WELCOME, in ms: the receiver may have to end an older session's commits before. Below its
 * SILENCE_DEADLINE_MS, for we say nothing meanwhile.
 */
const WELCOME_DEADLINE_MS = 20_000;
/** A try gets at least this long however little time is left, in ms: the last one begins when that is over. */
const SHORTEST_TRY_MS = 2_000;
/** How long a closing handshake may take before the socket is cut, in ms. */
const CLOSE_DEADLINE_MS = 2_000;
/** Pieces that one message may come in; no receiver fragments at all. */
const MAX_FRAGMENTS = 1024;

export interface TlsOptions {
  /** PEM texts. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface ConnectOptions {
  /** `ws://` or `wss://` with host and port; a path is put before that of the protocol. */
  readonly url: string;
  readonly token?: string | undefined;
  readonly tls?: TlsOptions | undefined;
  readonly device: string;
  readonly mode: 'write' | 'read';
  readonly digest: DigestAlgorithm;
  /** Ask the receiver to keep also what a power cut seems to have damaged. */
  readonly replaceDamaged?: boolean | undefined;
  /** Memory for large messages; see receive-into.ts. */
  readonly received?: BufferPool | undefined;
  /** What HELLO calls this side. Default "isync". */
  readonly software?: string | undefined;
  readonly signal: AbortSignal;
  /** What is left for tries, in ms: neither deadline goes far beyond it. */
  readonly leftMs?: number | undefined;
  readonly connectDeadlineMs?: number | undefined;
  readonly welcomeDeadlineMs?: number | undefined;
}

/** A WebSocket that stands, with HELLO and WELCOME said. */
export interface Link {
  readonly socket: WebSocket;
  /** The TCP or TLS socket below, to count its bytes. */
  readonly raw: Socket;
  readonly welcome: Welcome;
  /** Messages that arrived together with WELCOME, before anyone could listen. */
  readonly early: readonly WireMessage[];
}

interface WireMessage {
  readonly bytes: Buffer;
  readonly binary: boolean;
}

/**
 * Opens a link. Rejects with AUTH_REFUSED, VERSION_UNSUPPORTED, TLS_FAILED or another error that is not `retryable`
 * where trying again is in vain, with UNREACHABLE, BUSY, … that are where it is not, or with the signal's reason.
 */
export async function connect(options: ConnectOptions): Promise<Link> {
  const {
    signal,
    connectDeadlineMs = CONNECT_DEADLINE_MS,
    welcomeDeadlineMs = WELCOME_DEADLINE_MS,
  } = options;
  signal.throwIfAborted();
  const endMs = performance.now() + Math.max(options.leftMs ?? Infinity, SHORTEST_TRY_MS);
  const within = (deadlineMs: number): number => Math.max(0, Math.min(deadlineMs, endMs - performance.now()));
  const url = endpoint(options.url);
  const socket = openSocket(url, options);
  const cut = () => socket.terminate();
  signal.addEventListener('abort', cut, { once: true });
  // A socket that is cut while it connects tells so by an error, which `opened` has or nobody needs.
  socket.on('error', () => {});
  try {
    const raw = await opened(socket, url.host, within(connectDeadlineMs));
    raw.setNoDelay(true);
    // Whoever writes gets short answers only.
    if (options.mode === 'read') readLargeInRing(raw, 2 * MAX_MESSAGE_BYTES);
    if (options.received !== undefined) receiveInto(socket, options.received);
    return await welcomed(socket, raw, url.host, {
      ...options,
      welcomeDeadlineMs: within(welcomeDeadlineMs),
    });
  } catch (error) {
    socket.terminate();
    signal.throwIfAborted();
    throw connectError(error, url.host);
  } finally {
    signal.removeEventListener('abort', cut);
  }
}

function endpoint(text: string): URL {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'ws:' && url.protocol !== 'wss:'))
    throw new IsyncError('USAGE', `"${text}" is no ws:// or wss:// address`);
  // A name and password in the address would show in logs and stand in the token's place.
  url.username = '';
  url.password = '';
  url.hash = '';
  const prefix = url.pathname.replace(/\/+$/, '');
  url.pathname = prefix.endsWith(REPLICATE_PATH) ? prefix : prefix + REPLICATE_PATH;
  return url;
}

function openSocket(url: URL, { token, tls }: ConnectOptions): WebSocket {
  try {
    return new WebSocket(url, SUBPROTOCOL, optionsFor(url, token, tls));
  } catch (error) {
    throw connectError(error, url.host);
  }
}

function optionsFor(
  url: URL,
  token: string | undefined,
  tls: TlsOptions | undefined,
): ClientOptions & { closeTimeout: number } {
  return {
    perMessageDeflate: false,
    maxPayload: MAX_MESSAGE_BYTES,
    maxFragments: MAX_FRAGMENTS,
    closeTimeout: CLOSE_DEADLINE_MS,
    ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
    ...(maskIsPointless(url) ? { generateMask: zeroMask } : {}),
    ...tls,
    ...proxied(url, tls),
  };
}

/** A proxy of the environment tunnels wss; ws is for this machine and its network. */
function proxied(url: URL, tls: TlsOptions | undefined): ClientOptions {
  const proxy = url.protocol === 'wss:' ? proxyFor(url) : undefined;
  if (proxy === undefined) return {};
  return { agent: new Agent({ ...tls, proxyEnv: { HTTPS_PROXY: proxy.href } }) };
}

/**
 * RFC 6455 (5.3, 10.3) wants unpredictable masks so that content chosen by an attacker can't pass for HTTP in front of
 * an old proxy that reads along. Inside TLS and on loopback nobody is in between, and masking in JavaScript would be
 * the dearest step of all (354 MB/s against 1,913 with a mask of zeros, which is a valid one). Plain ws over a network
 * keeps its random masks.
 */
function maskIsPointless(url: URL): boolean {
  return url.protocol === 'wss:' || isLoopback(url.hostname);
}

/** The key that ws hands over is zero already. */
function zeroMask(): void {}

async function opened(socket: WebSocket, where: string, deadlineMs: number): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const timer = setTimeout(
    () => reject(unreachable(where, `no answer within ${seconds(deadlineMs)}`, undefined, NO_ANSWER)),
    deadlineMs,
  );
  let raw: Socket | undefined;
  socket.once('upgrade', (response) => {
    raw = response.socket;
  });
  socket.once('open', () => {
    if (raw !== undefined) resolve(raw);
  });
  socket.once('unexpected-response', (request, response) => {
    void readRefusal(response).then((body) => {
      const { statusCode: status = 0, headers } = response;
      reject(refusalError({ status, location: headers.location, body }, where));
      request.destroy();
    });
  });
  socket.on('error', reject);
  socket.once('close', () => reject(unreachable(where, 'the connection was closed')));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** As much of the body as a refusal may have; whatever goes wrong with it, the status has said the main thing. */
async function readRefusal(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  try {
    for await (const piece of response) {
      if (!Buffer.isBuffer(piece)) break;
      pieces.push(piece);
      length += piece.length;
      if (length > MAX_HELLO_BYTES) break;
    }
  } catch {
    // Cut short: what has come is told.
  }
  return Buffer.concat(pieces).toString('utf8');
}

async function welcomed(
  socket: WebSocket,
  raw: Socket,
  where: string,
  {
    device,
    mode,
    digest,
    replaceDamaged,
    software = 'isync',
    welcomeDeadlineMs,
  }: ConnectOptions & { readonly welcomeDeadlineMs: number },
): Promise<Link> {
  const { promise, resolve, reject } = Promise.withResolvers<Link>();
  const timer = setTimeout(() => reject(notWelcomed(where, seconds(welcomeDeadlineMs))), welcomeDeadlineMs);
  const early: WireMessage[] = [];
  let welcome: Welcome | undefined;
  const onMessage = (bytes: RawData, binary: boolean) => {
    if (!Buffer.isBuffer(bytes)) return;
    if (welcome !== undefined) {
      early.push({ bytes: apartFromRead(bytes), binary });
      return;
    }
    try {
      welcome = parseWelcome(bytes, binary, digest, device);
      if (welcome !== undefined) resolve({ socket, raw, welcome, early });
    } catch (error) {
      reject(error);
    }
  };
  socket.on('message', onMessage);
  socket.once('close', (code, reason) => reject(closedEarly(code, reason.toString('utf8'), where)));
  const hello = {
    type: 'hello',
    version: PROTOCOL_VERSION,
    device,
    mode,
    digest,
    software,
  } as const;
  socket.send(encode(replaceDamaged === true ? { ...hello, replaceDamaged } : hello));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.off('message', onMessage);
  }
}

function seconds(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1000)} s`;
}

/** Undefined for a KEEPALIVE, which may come before. */
function parseWelcome(
  bytes: Buffer,
  binary: boolean,
  digest: DigestAlgorithm,
  device: string,
): Welcome | undefined {
  const message = binary ? decodeReceiverMessage(bytes, digest) : undefined;
  if (message?.type === 'keepalive') return undefined;
  if (message?.type !== 'welcome') throw protocolFault('it did not begin with WELCOME');
  if (message.version !== PROTOCOL_VERSION)
    throw new IsyncError('VERSION_UNSUPPORTED', `the receiver speaks version ${message.version}`);
  if (message.device !== device) throw protocolFault('it welcomed another device');
  return message;
}

function closedEarly(code: number, reason: string, where: string): IsyncError {
  const error = closeError(code, reason);
  return error.code === 'LINK_LOST' ? unreachable(where, error.message, error) : error;
}
