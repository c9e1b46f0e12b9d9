import type { Dispatcher } from 'undici';
import type { MirrorTimeouts } from '../../rule.ts';
import type { Deadlines } from '../deadlines.ts';
import type { Connection, Connections } from './connections.ts';
import { faultOf, isConnectionLost } from './faults.ts';
import type { HeadersIn } from './header-values.ts';
import type { Hop } from './redirect.ts';

/**
 * The most of a body that nobody wants that is read so that its connection can be used again, in bytes, and for how long, in ms: a
 * page that tells of an error has come with its head.
 */
const DROPPED = { bytes: 64 * 1024, ms: 500 };

/** An answer whose body is coming. */
export interface Exchange extends Disposable {
  readonly status: number;
  readonly headers: HeadersIn;
  readonly body: Dispatcher.ResponseData['body'];
  readonly connection: Connection;
  /** The body is not wanted. Resolves when its connection can serve another request, or is cut. Never rejects. */
  drop(): Promise<void>;
  /** Cuts the connection, unless the body has been read to its end. */
  [Symbol.dispose](): void;
}

export interface Sending {
  readonly name: string;
  readonly method: 'GET' | 'HEAD';
  readonly hop: Hop;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeouts: Pick<MirrorTimeouts, 'connect' | 'firstByte'>;
  readonly deadlines: Deadlines;
}

/** Sends one request, and waits for the head of its answer. @throws OriginError, or the reason of the deadlines */
export async function exchange(connections: Connections, sending: Sending): Promise<Exchange> {
  const { name, deadlines } = sending;
  for (let fresh = false; ; fresh = true) {
    const connection = connections.take(sending.hop.origin, fresh);
    const wasOpen = connection.isOpen;
    try {
      return exchangeOf(connections, connection, await send(connection, wasOpen, sending));
    } catch (error) {
      connections.giveBack(connection);
      deadlines.signal.throwIfAborted();
      if (!wasOpen || !isConnectionLost(error)) throw faultOf(name, error, false);
    }
  }
}

function send(
  connection: Connection,
  wasOpen: boolean,
  { method, hop, headers, timeouts: { connect, firstByte }, deadlines }: Sending,
): Promise<Dispatcher.ResponseData> {
  connection.begin();
  const ms = wasOpen ? firstByte : connect + firstByte;
  return deadlines.within(ms, `has not answered within ${ms} ms`, () =>
    connection.client.request({ method, path: hop.path, headers, signal: deadlines.signal }),
  );
}

function exchangeOf(
  connections: Connections,
  connection: Connection,
  { statusCode: status, headers, body }: Dispatcher.ResponseData,
): Exchange {
  let held = true;
  const end = () => {
    if (held) connections.giveBack(connection);
    held = false;
  };
  body.on('error', () => {
    // Told to whoever reads the body.
  });
  return {
    status,
    headers,
    body,
    connection,
    drop: async () => {
      await body.dump({ limit: DROPPED.bytes, signal: AbortSignal.timeout(DROPPED.ms) }).catch(() => {
        // Cut by now.
      });
      end();
    },
    [Symbol.dispose]: () => {
      if (!body.readableEnded) body.destroy();
      end();
    },
  };
}
