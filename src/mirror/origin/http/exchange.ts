import type { MirrorTimeouts } from '../../rule.ts';
import type { Deadlines } from '../deadlines.ts';
import type { Connection, Connections } from './connections.ts';
import { faultOf, isConnectionLost } from './faults.ts';
import type { HeadersIn } from './header-values.ts';
import type { Hop } from './redirect.ts';
import { Reply, type ReplyHead } from './reply.ts';

/**
 * The most of a body that nobody wants that is read so that its connection can be used again, in bytes, and for how long, in ms: a
 * page that tells of an error has come with its head.
 */
const DROPPED = { bytes: 64 * 1024, ms: 500 };

/** An answer whose body is coming. */
export interface Exchange extends Disposable {
  readonly status: number;
  readonly headers: HeadersIn;
  /** What has come of the body since, or comes next; undefined at its end. Rejects where the connection breaks. */
  next(): Promise<Uint8Array | undefined>;
  readonly connection: Connection;
  /** The body is not wanted. Resolves when its connection can serve another request, or is cut. Never rejects. */
  drop(): Promise<void>;
  /** Cuts the connection, unless all of the body has come. */
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
      const reply = sent(connection, sending);
      return exchangeOf(connections, connection, reply, await headOf(reply, wasOpen, sending));
    } catch (error) {
      connections.giveBack(connection);
      deadlines.signal.throwIfAborted();
      if (!wasOpen || !isConnectionLost(error)) throw faultOf(name, error, false);
    }
  }
}

function sent(connection: Connection, { method, hop, headers, deadlines }: Sending): Reply {
  connection.begin();
  return Reply.to({ method, path: hop.path, headers, signal: deadlines.signal }, connection.client);
}

async function headOf(
  reply: Reply,
  wasOpen: boolean,
  { timeouts: { connect, firstByte }, deadlines }: Sending,
): Promise<ReplyHead> {
  const ms = wasOpen ? firstByte : connect + firstByte;
  return await deadlines.within(ms, `has not answered within ${ms} ms`, () => reply.head);
}

function exchangeOf(
  connections: Connections,
  connection: Connection,
  reply: Reply,
  { status, headers }: ReplyHead,
): Exchange {
  let held = true;
  const end = () => {
    if (held) connections.giveBack(connection);
    held = false;
  };
  return {
    status,
    headers,
    next: () => reply.next(),
    connection,
    drop: async () => {
      await dropped(reply);
      end();
    },
    [Symbol.dispose]: () => {
      reply.cut();
      end();
    },
  };
}

/** Never rejects. */
async function dropped(reply: Reply): Promise<void> {
  const timer = setTimeout(() => reply.cut(), DROPPED.ms);
  try {
    let bytes = 0;
    for (let piece = await reply.next(); piece !== undefined; piece = await reply.next()) {
      bytes += piece.length;
      if (bytes > DROPPED.bytes) reply.cut();
    }
  } catch {
    // Cut by now.
  } finally {
    clearTimeout(timer);
  }
}
