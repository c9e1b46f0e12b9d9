import type { HttpRequest } from './handler.ts';
import { isLoopback, type ListenAddress } from './listen-address.ts';

export interface Refusal {
  readonly status: number;
  readonly reason: string;
}

/**
 * Why a request is refused that a browser sends for somebody else's page; undefined for any other, also of what is no browser.
 * - A name that an attacker's DNS leads to 127.0.0.1 makes this machine's browser send what its page wants, and read the answer:
 *   so where we listen on loopback, `Host` must name loopback, or be what we were told to listen on. Any port will do, for ssh
 *   and containers forward from others.
 * - `Sec-Fetch-Site` and `Origin` tell which page asks. https://www.w3.org/TR/fetch-metadata/
 * @param isPage whether the answer is a page that may be reached by a link from anywhere: it tells nothing by itself
 */
export function refusedPage(
  { headers }: HttpRequest,
  { host }: ListenAddress,
  isPage: boolean,
): Refusal | undefined {
  const named = headers['host'];
  // HTTP/1.0 of a health check has none; a browser always has.
  if (named !== undefined && isLoopback(host) && !isOwnName(named, host))
    return {
      status: 421,
      reason: 'this answers to localhost only; a proxy in front of it must send "Host: localhost"',
    };
  const site = headers['sec-fetch-site'];
  const isLink =
    isPage && headers['sec-fetch-mode'] === 'navigate' && headers['sec-fetch-dest'] === 'document';
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !isLink)
    return { status: 403, reason: 'the page of another site may not ask this' };
  const origin = headers['origin'];
  if (origin !== undefined && origin !== `http://${named}` && origin !== `https://${named}`)
    return { status: 403, reason: 'the page of another site may not ask this' };
  return undefined;
}

function isOwnName(named: string, host: string): boolean {
  const name = named.toLowerCase().replace(/:\d*$/, '');
  return isLoopback(name) || name === host.toLowerCase();
}
