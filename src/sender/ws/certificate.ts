import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/** When the certificate of the other side ends, in ms since 1970; undefined where it showed none. */
export function certificateEndsMs(socket: Socket): number | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const ends = socket.getPeerX509Certificate()?.validToDate.getTime();
  return ends === undefined || Number.isNaN(ends) ? undefined : ends;
}
