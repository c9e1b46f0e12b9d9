import { IsyncError } from '../../model/isync-error.ts';

/** Longer than a pause of the process, or a restart of the broker, in ms. */
export const LEASE_MS = 30_000;

/** How to reach the servers of a URL. */
export interface NatsServers {
  readonly servers: string[];
  readonly user: string | undefined;
  readonly pass: string | undefined;
  /** Never unencrypted: the server must take a handshake first (`handshake_first` of its settings). */
  readonly onlyTls: boolean;
  /** Without the secret. */
  readonly where: string;
}

/** Which server a URL names, and what of it. */
export interface NatsPlace extends NatsServers {
  /** The path; undefined where there is none. */
  readonly name: string | undefined;
  readonly parameters: URLSearchParams;
}

/**
 * Parses `nats://[USER[:PASSWORD]@]HOST[:PORT][/NAME][?server=HOST:PORT…]`. By `nats:` TLS is used where the server offers it;
 * by `tls:` nothing is said without.
 * @param form of the URL, for the hint
 * @throws IsyncError CONFIG_INVALID, without the secret
 */
export function parseNatsPlace(url: string, form: string): NatsPlace {
  const invalid = (why: string): IsyncError =>
    new IsyncError('CONFIG_INVALID', `the URL of the queue can't be used: ${why}`, { hint: form });
  const decoded = (text: string): string | undefined => {
    try {
      return text === '' ? undefined : decodeURIComponent(text);
    } catch {
      throw invalid('its user or password has a % that is none; write %25');
    }
  };
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || parsed.hostname === '') throw invalid('it is no URL with a host');
  const { protocol, host, pathname, searchParams } = parsed;
  const name = pathname.replace(/^\//, '');
  return {
    servers: [host, ...searchParams.getAll('server')].map((each) => `${protocol}//${each}`),
    user: decoded(parsed.username),
    pass: decoded(parsed.password),
    onlyTls: protocol === 'tls:',
    name: name === '' ? undefined : name,
    parameters: searchParams,
    where: `${protocol}//${host}${name === '' ? '' : pathname}`,
  };
}
