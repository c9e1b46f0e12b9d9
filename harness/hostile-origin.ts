import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createServer as createTlsServer } from 'node:tls';
import { gzipSync } from 'node:zlib';

/** A request as its bytes came. */
export interface OriginAsked {
  readonly method: string;
  /** Of the request line, as it was sent. */
  readonly target: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Writes what it likes to the connection. */
export type OriginReply = (socket: Socket, asked: OriginAsked) => void | Promise<void>;

/** An old web server that does what a proper one won't: its replies are bytes on a socket. */
export interface HostileOrigin extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` (`https://` with TLS), without "/" at its end. */
  readonly url: string;
  readonly port: number;
  readonly asked: OriginAsked[];
  /** Connections that came. */
  readonly connections: number;
  reply: OriginReply;
}

type Headers = Readonly<Record<string, string | number>>;

/**
 * @param host the address of the loopback that it listens on: each of 127.0.0.0/8 is a host of its own
 * @param tls makes it speak TLS
 */
export async function startHostileOrigin(
  reply: OriginReply,
  host = '127.0.0.1',
  tls?: { readonly cert: string; readonly key: string },
): Promise<HostileOrigin> {
  const asked: OriginAsked[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server =
    tls === undefined
      ? createServer({ noDelay: true }, accept)
      : createTlsServer({ noDelay: true, ...tls }, accept).on('tlsClientError', () => {});
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const origin: HostileOrigin = {
    url: `http${tls === undefined ? '' : 's'}://${host}:${port}`,
    port,
    asked,
    get connections() {
      return connections;
    },
    reply,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };
  return origin;

  function accept(socket: Socket): void {
    connections++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    let waiting = '';
    socket.on('data', (piece) => {
      waiting += String(piece);
      for (let end = waiting.indexOf('\r\n\r\n'); end !== -1; end = waiting.indexOf('\r\n\r\n')) {
        const request = parse(waiting.slice(0, end));
        waiting = waiting.slice(end + 4);
        asked.push(request);
        void origin.reply(socket, request);
      }
    });
  }
}

/** A proper answer, of which every other one here is a bad copy. */
export function whole(body: Uint8Array | string, headers: Headers = {}, status = '200 OK'): OriginReply {
  return (socket, { method }) => {
    socket.write(headOf(status, { 'Content-Length': Buffer.byteLength(body), ...headers }));
    if (method !== 'HEAD') socket.write(body);
  };
}

/** The same, of which the first `bytes` come, head included; then the connection ends, or is reset. */
export function cutAfter(bytes: number, body: string, headers: Headers = {}, reset = false): OriginReply {
  return (socket) => {
    const all = headOf('200 OK', { 'Content-Length': Buffer.byteLength(body), ...headers }) + body;
    socket.write(all.slice(0, bytes), () => (reset ? socket.resetAndDestroy() : socket.end()));
  };
}

/** Bytes that it has not announced: `more` behind `body`. It ends the connection unless `stays`. */
export function longer(body: string, more: string, headers: Headers = {}, stays = false): OriginReply {
  return (socket) => {
    socket.write(headOf('200 OK', { 'Content-Length': Buffer.byteLength(body), ...headers }) + body + more);
    if (!stays) socket.end();
  };
}

/** Less than it has announced. */
export function shorter(body: string, announced: number, headers: Headers = {}): OriginReply {
  return (socket) => {
    socket.end(headOf('200 OK', { 'Content-Length': announced, ...headers }) + body);
  };
}

/** A body that ends with the connection. */
export function closeDelimited(body: string, headers: Headers = {}): OriginReply {
  return (socket) => {
    socket.end(headOf('200 OK', { Connection: 'close', ...headers }) + body);
  };
}

/** A body in chunks; `cut`: the last one, which tells its end, does not come. */
export function chunked(
  pieces: readonly string[],
  { headers = {}, cut = false }: { readonly headers?: Headers; readonly cut?: boolean } = {},
): OriginReply {
  return (socket) => {
    socket.write(headOf('200 OK', { 'Transfer-Encoding': 'chunked', ...headers }));
    for (const piece of pieces) socket.write(`${Buffer.byteLength(piece).toString(16)}\r\n${piece}\r\n`);
    if (cut) socket.end();
    else socket.write('0\r\n\r\n');
  };
}

/** Whole, but not the bytes that its Content-MD5 is of. */
export function wrongMd5(body: string, headers: Headers = {}): OriginReply {
  return whole(body, { 'Content-MD5': md5Of(`${body}.`), ...headers });
}

export function md5Of(body: Uint8Array | string): string {
  return createHash('md5').update(body).digest('base64');
}

/** Packed, whatever was asked for. */
export function gzipUnasked(body: string, headers: Headers = {}): OriginReply {
  return whole(gzipSync(body), { 'Content-Encoding': 'gzip', ...headers });
}

export function redirect(to: string, status = 302): OriginReply {
  return whole('', { Location: to }, `${status} Elsewhere`);
}

/** An answer that tells its status, with a page for people. */
export function refusal(status: number, headers: Headers = {}): OriginReply {
  return whole('<p>no', { 'Content-Type': 'text/html', ...headers }, `${status} No`);
}

/** `bytes` at a time, with `ms` between. */
export function slow(
  body: string,
  { bytes, ms }: { readonly bytes: number; readonly ms: number },
): OriginReply {
  return async (socket) => {
    socket.write(headOf('200 OK', { 'Content-Length': Buffer.byteLength(body) }));
    for (let at = 0; at < body.length && !socket.destroyed; at += bytes) {
      socket.write(body.slice(at, at + bytes));
      await sleep(ms);
    }
  };
}

/** The head and some of the body; nothing follows, and the connection stays. */
export function stuckAfter(bytes: number, body: string): OriginReply {
  return (socket) => {
    socket.write(headOf('200 OK', { 'Content-Length': Buffer.byteLength(body) }) + body.slice(0, bytes));
  };
}

/** Takes the request, and says nothing. */
export const never: OriginReply = () => {};

/** A head of at least `bytes`. */
export function hugeHead(bytes: number): OriginReply {
  return (socket) => {
    socket.write('HTTP/1.1 200 OK\r\n');
    for (let at = 0; at < bytes; at += 1024) socket.write(`X-${at}: ${'x'.repeat(1024)}\r\n`);
    socket.write('Content-Length: 0\r\n\r\n');
  };
}

/** Just these bytes; then the connection ends. */
export function bytesOnly(text: string): OriginReply {
  return (socket) => {
    socket.end(Buffer.from(text, 'latin1'));
  };
}

/** Status line and headers, up to the empty line. */
export function headOf(status: string, headers: Headers): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status}\r\n${lines.join('')}\r\n`;
}

function parse(head: string): OriginAsked {
  const [line = '', ...lines] = head.split('\r\n');
  const [method = '', target = ''] = line.split(' ');
  const headers = lines.map((each) => {
    const colon = each.indexOf(':');
    return [each.slice(0, colon).toLowerCase(), each.slice(colon + 1).trim()] as const;
  });
  return { method, target, headers: Object.fromEntries(headers) };
}
