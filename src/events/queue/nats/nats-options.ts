import { IsyncError } from '../../../model/isync-error.ts';
import type { Log } from '../../../model/log.ts';
import { type NatsServers, parseNatsPlace } from '../../nats/nats-place.ts';

export interface NatsOptions {
  /** In the stream; the dead ones are in another, without a limit of their own. */
  readonly maxMessages: number;
  /** How long a receive waits, in ms, at least 1000. Default 20 s. */
  readonly waitMs?: number;
  /** After how long the messages of a worker that was killed come again, in ms. Default {@link LEASE_MS} of nats-place.ts. */
  readonly leaseMs?: number;
  /** Messages asked for at a time, at most 100. Default 100. */
  readonly ahead?: number | undefined;
  /** Take it as it is, and make nothing: STORE_MISSING where it is not there. Default: make it, with these limits. */
  readonly isThere?: boolean | undefined;
  readonly log: Log;
}

/** Where a queue is. The name is that of the stream, and how the names of its parts begin. */
export interface NatsAddress extends NatsServers {
  readonly name: string;
  /** Copies of the stream, on so many servers. */
  readonly replicas: number;
}

const FORM = 'nats://[USER:PASSWORD@]HOST[:PORT][/NAME][?replicas=3]';
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
  const { parameters, name: given, ...place } = parseNatsPlace(url, FORM);
  const name = given ?? DEFAULT_NAME;
  if (!NAME.test(name)) throw invalid(`its path, the name of the queue, must match ${NAME.source}`);
  const replicas = parameters.get('replicas') ?? '1';
  if (!REPLICAS.includes(replicas)) throw invalid(`replicas is one of ${REPLICAS.join(', ')}`);
  return {
    ...place,
    name,
    replicas: Number(replicas),
    where: given === undefined ? `${place.where}/${name}` : place.where,
  };
}

function invalid(why: string): IsyncError {
  return new IsyncError('CONFIG_INVALID', `the URL of the queue can't be used: ${why}`, { hint: FORM });
}
