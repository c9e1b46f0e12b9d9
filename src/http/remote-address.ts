import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** ADDRESS:PORT of a socket's other end; "?" for what is not known. */
export function remoteAddressOf(socket: Duplex): string {
  if (!(socket instanceof Socket)) return '?:?';
  // A TLS socket whose other side hung up knows no address any more. The TCP socket below does, because
  // UnadmittedConnections has asked it before. Node documents no way there.
  const below: unknown = Reflect.get(socket, '_parent');
  const known = socket.remoteAddress === undefined && below instanceof Socket ? below : socket;
  return `${known.remoteAddress ?? '?'}:${known.remotePort ?? '?'}`;
}
