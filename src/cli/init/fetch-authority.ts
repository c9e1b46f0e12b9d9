import { X509Certificate } from 'node:crypto';
import { Agent, get } from 'node:https';
import { isIP } from 'node:net';
import { type DetailedPeerCertificate, TLSSocket } from 'node:tls';
import type { JoinLine } from '../../config/join-line.ts';
import { parseTargetAddress } from '../../config/target-address.ts';
import { proxyFor } from '../../http/proxy-for.ts';
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

/** Through a proxy where the environment has one, as the scan will be. */
async function certificatesOf(url: URL): Promise<readonly X509Certificate[]> {
  const host = url.hostname.replaceAll(/^\[|\]$/g, '');
  const proxy = proxyFor(url);
  const proxied = proxy && { proxyEnv: { HTTPS_PROXY: proxy.href } };
  // Nothing is told there, and whoever answers is known by the fingerprint.
  const options = { rejectUnauthorized: false, ...(isIP(host) === 0 && { servername: host }) };
  const { promise, resolve, reject } = Promise.withResolvers<readonly X509Certificate[]>();
  const agent = new Agent({ ...options, ...proxied });
  const port = url.port === '' ? 443 : url.port;
  const request = get(
    { host, port, path: '/healthz', agent, timeout: PATIENCE_MS, ...options },
    ({ socket }) => {
      if (socket instanceof TLSSocket) resolve(chainOf(socket));
      else reject(new Error('it speaks no TLS'));
    },
  );
  request.once('timeout', () => request.destroy(new Error('no answer')));
  request.once('error', reject);
  try {
    return await promise;
  } catch (error) {
    throw new IsyncError('UNREACHABLE', `${url.host} does not answer: ${reasonOf(error)}`, {
      cause: error,
      hint: 'Start the receiver there; check host name, port and firewalls.',
    });
  } finally {
    request.destroy();
    agent.destroy();
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
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
