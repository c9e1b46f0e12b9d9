import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { decodeSenderMessage, encode } from '../../src/protocol/codec.ts';
import type {
  ReceiverMessage,
  SenderMessage,
  SessionLimits,
  Welcome,
  WelcomeStore,
} from '../../src/protocol/messages.ts';

/** One connection as the script of a test sees it. */
export interface FakeSession {
  /** Which connection this is, from 1. */
  readonly number: number;
  readonly socket: WebSocket;
  /** Everything the sender said, HELLO included. */
  readonly heard: SenderMessage[];
  readonly say: (message: ReceiverMessage) => void;
}

export interface FakeReceiver extends AsyncDisposable {
  readonly url: string;
  readonly sessions: readonly FakeSession[];
  /** Every message of every session, in order. */
  readonly heard: SenderMessage[];
}

export interface Script {
  /** Called for each message after HELLO. */
  readonly message?: ((session: FakeSession, message: SenderMessage) => void) | undefined;
  /** Answers HELLO; by default with WELCOME. */
  readonly hello?: (session: FakeSession) => void;
  /** Answers the upgrade instead of the WebSocket where it returns a status: as a receiver does, unless it gives a body. */
  readonly status?: (request: IncomingMessage) => number | HttpAnswer | undefined;
  /** Whether the upgrade names the subprotocol that was asked for; by default it does. */
  readonly protocol?: () => boolean;
  readonly limits?: Partial<SessionLimits>;
  readonly compression?: readonly string[];
  readonly reports?: boolean;
  readonly reads?: boolean;
  readonly sealsBehind?: boolean;
  readonly store?: WelcomeStore;
}

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  readonly headers?: readonly string[];
}

const CODES: Readonly<Record<number, string>> = {
  404: 'UNREACHABLE',
  426: 'VERSION_UNSUPPORTED',
  503: 'BUSY',
};

function asReceiver(status: number): HttpAnswer {
  return {
    status,
    body: JSON.stringify({ code: CODES[status] ?? 'AUTH_REFUSED', message: 'as the script says' }),
  };
}

/** A receiver that does what a test says, also what PROTOCOL.md forbids. */
export async function fakeReceiver(script: Script = {}): Promise<FakeReceiver> {
  const sessions: FakeSession[] = [];
  const heard: SenderMessage[] = [];
  const upgrader = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    handleProtocols: ([first = '']: Set<string>) => (script.protocol?.() === false ? false : first),
  });
  const server = createServer();
  server.on('upgrade', (request: IncomingMessage, raw: Duplex, head: Buffer) => {
    const answer = script.status?.(request);
    if (answer !== undefined) {
      const { status, body, headers = [] } = typeof answer === 'number' ? asReceiver(answer) : answer;
      const head = [
        `HTTP/1.1 ${status} No`,
        `Content-Length: ${body.length}`,
        'Connection: close',
        ...headers,
      ];
      raw.end(`${head.join('\r\n')}\r\n\r\n${body}`);
      return;
    }
    upgrader.handleUpgrade(request, raw, head, (socket) => start(socket));
  });

  function start(socket: WebSocket): void {
    const say = (message: ReceiverMessage) => socket.send(encode(message));
    const session: FakeSession = { number: sessions.length + 1, socket, heard: [], say };
    sessions.push(session);
    socket.on('error', () => {});
    socket.on('message', (bytes) => {
      const message = decodeSenderMessage(bytes as Buffer, 'xxh64');
      session.heard.push(message);
      heard.push(message);
      if (message.type !== 'hello') script.message?.(session, message);
      else if (script.hello !== undefined) script.hello(session);
      else {
        const { limits, compression, store, reports, reads, sealsBehind } = script;
        say({
          ...welcome(message.device, limits, compression, store),
          ...(reports !== undefined && { reports }),
          ...(reads !== undefined && { reads }),
          ...(sealsBehind !== undefined && { sealsBehind }),
        });
      }
    });
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address() as { port: number };
  return {
    url: `ws://127.0.0.1:${address.port}`,
    sessions,
    heard,
    async [Symbol.asyncDispose]() {
      for (const { socket } of sessions) socket.terminate();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

export function welcome(
  device: string,
  limits: Partial<SessionLimits> = {},
  compression: readonly string[] = [],
  store?: WelcomeStore,
): Welcome {
  return {
    type: 'welcome',
    version: 1,
    session: 'fake',
    device,
    software: 'fake',
    limits: { filesInFlight: 100, openUploads: 4, requests: 4, ...limits },
    compression,
    store,
  };
}

/** ACKs everything as soon as it is whole. */
export function acknowledge({ say }: FakeSession, message: SenderMessage): void {
  if (message.type === 'files')
    say({
      type: 'ack',
      ranges: [{ first: message.firstId, last: message.firstId + message.files.length - 1 }],
    });
  if (message.type === 'open' && message.resume) say({ type: 'offset', id: message.id, offset: 0 });
  if (message.type === 'end') say({ type: 'ack', ranges: [{ first: message.id, last: message.id }] });
}
