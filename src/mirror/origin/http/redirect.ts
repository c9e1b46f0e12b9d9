import { OriginError } from '../origin.ts';
import { utf8In } from './header-values.ts';

/** Where one request goes. */
export interface Hop {
  /** `scheme://host:port`, the port only where it is not that of the scheme. */
  readonly origin: string;
  /** Path and query, as they go into the request line. */
  readonly path: string;
}

/**
 * Where a redirect leads.
 * @param name of the origin, for people
 * @param location as it was sent; undefined where none was
 * @throws OriginError where it must not be followed
 */
export function nextHop(name: string, from: Hop, location: string | undefined): Hop {
  const refuse = (why: string) => new OriginError(502, `${name} redirects ${why}`);
  if (location === undefined) throw refuse('to nowhere');
  const text = utf8In(location);
  const url = URL.parse(text, `${from.origin}${from.path}`);
  if (url === null) throw refuse('to what is no URL');
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw refuse(`to "${url.protocol}"`);
  if (url.protocol === 'http:' && from.origin.startsWith('https:')) throw refuse('from https to http');
  if (url.username !== '' || url.password !== '') throw refuse('to a URL with a password');
  return { origin: url.origin, path: `${url.pathname}${url.search}` };
}

/** Whether `to` is the server at `base`, or the one of the same name that speaks TLS: who else may not see secrets of `base`. */
export function isSameServer(base: string, to: string): boolean {
  return base === to || (/^http:\/\/[^:]+$/.test(base) && to === base.replace('http:', 'https:'));
}
