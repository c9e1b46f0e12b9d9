import { getProxyForUrl } from 'proxy-from-env';
import { isLoopback } from './listen-address.ts';

/**
 * The proxy through which `url` is to be reached, by HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY of the environment, in either
 * case; undefined: none. This machine is never asked for through one, and one of SOCKS is none for us.
 */
export function proxyFor(url: URL): URL | undefined {
  if (isLoopback(url.hostname.replaceAll(/^\[|\]$/g, ''))) return undefined;
  // wss is to the environment what https is.
  const proxy = getProxyForUrl(url.href.replace(/^ws/, 'http'));
  if (!URL.canParse(proxy)) return undefined;
  const { protocol } = new URL(proxy);
  return protocol === 'http:' || protocol === 'https:' ? new URL(proxy) : undefined;
}
