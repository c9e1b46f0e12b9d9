import { IsyncError } from '../../model/isync-error.ts';

/** Where a queue or an exchange of an AMQP 0-9-1 broker is. */
export interface AmqpAddress {
  /** HOST:PORT of each node, the first one tried first. */
  readonly hosts: readonly string[];
  readonly user: string;
  readonly pass: string;
  readonly vhost: string;
  readonly isTls: boolean;
  /** The last segment of the path; undefined where there is none. */
  readonly name: string | undefined;
  readonly parameters: URLSearchParams;
  /** Without the secret. */
  readonly where: string;
}

const PORTS = { 'amqp:': '5672', 'amqps:': '5671' } as const;
/** As a broker has it before anybody has made users. */
const GUEST = 'guest';
const SERVER = 'server';
const HOST_AND_PORT = /^[\w.-]+(:\d{1,5})?$/;
/** Longest name of a queue or an exchange, in bytes: AMQP's short string. */
const MAX_NAME_BYTES = 255;

/**
 * Parses `amqp[s]://[USER[:PASSWORD]@]HOST[:PORT][/[VHOST/]NAME][?server=HOST:PORT…]`; the vhost is "/" unless it is told, with
 * its own slashes as %2F. By `amqps:` the certificate must lead to an authority of this machine.
 * @param allowed names of further parameters
 * @param form of the URL, for the hint
 * @throws IsyncError CONFIG_INVALID, without the secret
 */
export function parseAmqpUrl(url: string, allowed: readonly string[], form: string): AmqpAddress {
  const invalid = (why: string): IsyncError =>
    new IsyncError('CONFIG_INVALID', `the URL of the queue can't be used: ${why}`, { hint: form });
  const decoded = (text: string, what: string): string => {
    try {
      return decodeURIComponent(text);
    } catch {
      throw invalid(`its ${what} has a % that is none; write %25`);
    }
  };
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed === undefined || parsed.hostname === '') throw invalid('it is no URL with a host');
  const { protocol, hostname, searchParams, pathname } = parsed;
  if (protocol !== 'amqp:' && protocol !== 'amqps:')
    throw invalid('it begins with neither amqp:// nor amqps://');
  // What a host may have, but for IPv6 addresses, whose colons the client takes for a port's.
  if (hostname.startsWith('[')) throw invalid('give the host a name in place of its IPv6 address');
  if (searchParams.getAll(SERVER).some((server) => !HOST_AND_PORT.test(server)))
    throw invalid('a server is HOST or HOST:PORT');
  if (parsed.hash !== '') throw invalid('it has a "#"; write %23');
  const unknown = [...searchParams.keys()].find((key) => key !== SERVER && !allowed.includes(key));
  if (unknown !== undefined)
    throw invalid(`it has a parameter that is none of ${[SERVER, ...allowed].join(', ')}`);
  const segments = pathname.split('/').slice(1);
  if (segments.length > 2) throw invalid('its path is [/VHOST]/NAME; a "/" of a name is written %2F');
  const [vhost, name] = segments.length === 2 ? segments : ['%2F', segments[0]];
  if (vhost === '') throw invalid('its vhost is empty; the vhost "/" is written %2F, or left out');
  const names = { vhost: decoded(vhost ?? '%2F', 'vhost'), name: decoded(name ?? '', 'name') };
  if (Buffer.byteLength(names.name) > MAX_NAME_BYTES)
    throw invalid(`its name is longer than ${MAX_NAME_BYTES} bytes`);
  const first = `${hostname}:${parsed.port || PORTS[protocol]}`;
  return {
    hosts: [first, ...searchParams.getAll(SERVER)],
    user: decoded(parsed.username, 'user') || GUEST,
    pass: decoded(parsed.password, 'password') || (parsed.username === '' ? GUEST : ''),
    vhost: names.vhost,
    isTls: protocol === 'amqps:',
    name: names.name === '' ? undefined : names.name,
    parameters: searchParams,
    where: `${protocol}//${parsed.host}${pathname === '/' ? '' : pathname}`,
  };
}
