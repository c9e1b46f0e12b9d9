import { connect, type NatsConnection } from '@nats-io/transport-node';
import { IsyncError } from '../../model/isync-error.ts';
import { natsError } from './nats-errors.ts';
import type { NatsServers } from './nats-place.ts';

/** Between tries to reach a server again, in ms, after the first second. */
const RECONNECT_MS = 500;
/** How long a request may take, in ms. */
export const REQUEST_MS = 5000;

/**
 * Connects to the server of a URL, and comes back by itself from then on.
 * @throws IsyncError UNREACHABLE, STORE_REFUSED
 */
export async function connectNats({
  servers,
  user,
  pass,
  onlyTls,
  where,
}: NatsServers): Promise<NatsConnection> {
  try {
    return await connect({
      servers,
      ...(user !== undefined && { user }),
      ...(pass !== undefined && { pass }),
      ...(onlyTls && { tls: { handshakeFirst: true } }),
      name: 'isync',
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_MS,
      ignoreAuthErrorAbort: true,
    });
  } catch (error) {
    const told = natsError(error, where);
    if (told.code !== 'BUSY') throw told;
    throw new IsyncError('UNREACHABLE', told.message, { path: where, cause: error });
  }
}
