import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { certificateEndsMs } from '../../http/certificate.ts';

/** When the certificate of the other side ends, in ms since 1970; undefined where it showed none. */
export function peerEndsMs(socket: Socket): number | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const certificate = socket.getPeerX509Certificate();
  return certificate && certificateEndsMs(certificate.raw);
}
