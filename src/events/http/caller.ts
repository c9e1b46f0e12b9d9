import { isIP } from 'node:net';
import type { HttpRequest } from '../../http/handler.ts';
import { type Networks, plainAddress } from './networks.ts';

/** Who sent a request, and to where, as far as the proxies tell that are trusted. */
export interface Caller {
  /** Empty where it is unknown. */
  readonly address: string;
  readonly scheme: string;
  /** With its port, where the client named one. Undefined where none was named, or none that could be. */
  readonly host: string | undefined;
}

/** Proxies in a row. */
const MAX_PROXIES = 16;
const HOST = /^[A-Za-z0-9._-]{1,253}(?::\d{1,5})?$|^\[[0-9A-Fa-f:.]{2,45}\](?::\d{1,5})?$/;

/** @param isTls whether this server itself speaks TLS */
export function callerOf(request: HttpRequest, isTls: boolean, proxies: Networks | undefined): Caller {
  const { headers } = request;
  const direct: Caller = {
    address: plainAddress(request.remoteAddress),
    scheme: isTls ? 'https' : 'http',
    host: hostLike(headers['host']),
  };
  if (proxies?.has(direct.address) !== true) return direct;
  // Of several values, the last one is that of the nearest proxy, which is the one that is trusted.
  const scheme = lastOf(headers['x-forwarded-proto'])?.toLowerCase();
  const host = lastOf(headers['x-forwarded-host']);
  return {
    address: clientBehind(direct.address, headers['x-forwarded-for'], proxies),
    scheme: scheme === 'http' || scheme === 'https' ? scheme : direct.scheme,
    host: host === undefined ? direct.host : hostLike(host),
  };
}

/** The last address before those of trusted proxies: what stands further left, anybody may have written. */
function clientBehind(proxy: string, forwardedFor: string | undefined, proxies: Networks): string {
  const addresses = (forwardedFor ?? '').split(',').reverse().slice(0, MAX_PROXIES);
  let client = proxy;
  for (const text of addresses) {
    if (text.trim() === '') break;
    client = addressIn(text.trim());
    if (!proxies.has(client)) break;
  }
  return client;
}

/** Some proxies tell the port too. Empty where it is no address. */
function addressIn(text: string): string {
  const bare = /^\[([^\]]+)\](?::\d+)?$/.exec(text)?.[1] ?? /^([\d.]+):\d+$/.exec(text)?.[1] ?? text;
  return isIP(bare) === 0 ? '' : plainAddress(bare);
}

function lastOf(list: string | undefined): string | undefined {
  return list?.split(',').at(-1)?.trim();
}

function hostLike(host: string | undefined): string | undefined {
  return host !== undefined && HOST.test(host) ? host : undefined;
}
