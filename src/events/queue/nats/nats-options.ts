import { IsyncError } from '../../../model/isync-error.ts';
import type { Log } from '../../../model/log.ts';

export interface NatsOptions {
  /** In the stream; the dead ones are in another, without a limit of their own. */
  readonly maxMessages: number;
  /** How long a receive waits, in ms, at least 1000. Default {@link WAIT_MS}. */
  readonly waitMs?: number;
  /** After how long the messages of a worker that was killed come again, in ms. Default {@link LEASE_MS}. */
  readonly leaseMs?: number;
  readonly log: Log;
}

export const WAIT_MS = 20_000;
/** Longer than a pause of the process, or a restart of the broker. */
export const LEASE_MS = 30_000;

/** Where a queue is. */
export interface NatsAddress {
  readonly servers: string[];
  readonly user: string | undefined;
  readonly pass: string | undefined;
  /** Never unencrypted: the server must take a handshake first (`handshake_first` of its settings). */
  readonly onlyTls: boolean;
  /** Of the stream, and how the names of its parts begin. */
  readonly name: string;
  /** Copies of the stream, on so many servers. */
  readonly replicas: number;
  /** Without the secret. */
  readonly where: string;
}

const DEFAULT_NAME = 'isync';
const NAME = /^[A-Za-z0-9_-]{1,64}$/;
/** As JetStream allows. */
const REPLICAS = ['1', '3', '5'];

/**
 * Parses `nats://[USER[:PASSWORD]@]HOST[:PORT][/NAME][?replicas=3&server=HOST:PORT…]`. By `nats:` TLS is used where the
 * server offers it; by `tls:` nothing is said without.
 * @throws IsyncError CONFIG_INVALID, without the secret
 */
export function parseNatsUrl(url: string): NatsAddress {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || parsed.hostname === '') throw invalid('it is no URL with a host');
  const name = parsed.pathname.replace(/^\//, '') || DEFAULT_NAME;
  if (!NAME.test(name)) throw invalid(`its path, the name of the queue, must match ${NAME.source}`);
  const replicas = parsed.searchParams.get('replicas') ?? '1';
  if (!REPLICAS.includes(replicas)) throw invalid(`replicas is one of ${REPLICAS.join(', ')}`);
  const servers = [parsed.host, ...parsed.searchParams.getAll('server')].map(
    (host) => `${parsed.protocol}//${host}`,
  );
  return {
    servers,
    user: decoded(parsed.username),
    pass: decoded(parsed.password),
    onlyTls: parsed.protocol === 'tls:',
    name,
    replicas: Number(replicas),
    where: `${parsed.protocol}//${parsed.host}/${name}`,
  };
}

function decoded(text: string): string | undefined {
  try {
    return text === '' ? undefined : decodeURIComponent(text);
  } catch {
    throw invalid('its user or password has a % that is none; write %25');
  }
}

function invalid(why: string): IsyncError {
  return new IsyncError('CONFIG_INVALID', `the URL of the queue can't be used: ${why}`, {
    hint: 'nats://[USER:PASSWORD@]HOST[:PORT][/NAME][?replicas=3]',
  });
}
