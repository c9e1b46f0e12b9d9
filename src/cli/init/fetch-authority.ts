import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import type { JoinLine } from '../../config/join-line.ts';
import { parseTargetAddress } from '../../config/target-address.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { fingerprintOf } from './certificate.ts';

/** For the whole handshake, in ms. */
const PATIENCE_MS = 10_000;
/** Certificates above the server's that are looked at. */
const MOST_ABOVE = 8;

/**
 * Asks the server for the certificate of its authority, and takes it for nothing but its fingerprint.
 * @returns it as PEM
 * @throws IsyncError UNREACHABLE, TLS_FAILED: another server, or somebody in between
 */
export async function fetchAuthority({ url, fingerprint }: JoinLine): Promise<string> {
  const address = parseTargetAddress(url);
  if (address.kind !== 'receiver') throw new Error('a line names a receiver');
  const offered = await certificatesOf(address.url);
  const authority = offered.find((certificate) => fingerprintOf(certificate) === fingerprint);
  const [server] = offered;
  if (authority !== undefined && server !== undefined && server.verify(authority.publicKey))
    return authority.toString();
  throw new IsyncError('TLS_FAILED', 'the server is not the one that printed the line', {
    path: url,
    hint: 'Its authority has another fingerprint. Have it print a new line (isync init there); where that does not help, somebody stands in between.',
  });
}

async function certificatesOf(url: URL): Promise<readonly X509Certificate[]> {
  const host = url.hostname.replaceAll(/^\[|\]$/g, '');
  const port = Number(url.port === '' ? 443 : url.port);
  const { promise, resolve, reject } = Promise.withResolvers<readonly X509Certificate[]>();
  // Nothing is sent, and whoever answers is known by the fingerprint.
  const socket = connect({
    host,
    port,
    rejectUnauthorized: false,
    ...(isIP(host) === 0 && { servername: host }),
  });
  socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('no answer')));
  socket.once('secureConnect', () => resolve(chainOf(socket)));
  socket.once('error', reject);
  try {
    return await promise;
  } catch (error) {
    throw new IsyncError(
      'UNREACHABLE',
      `${url.host} does not answer: ${error instanceof Error ? error.message : String(error)}`,
      {
        cause: error,
        hint: 'Start the receiver there; check host name, port and firewalls.',
      },
    );
  } finally {
    socket.destroy();
  }
}

/** The server's first. */
function chainOf(socket: TLSSocket): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let next: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (next?.raw !== undefined && chain.length <= MOST_ABOVE) {
    chain.push(new X509Certificate(next.raw));
    next = next.issuerCertificate === next ? undefined : next.issuerCertificate;
  }
  return chain;
}
