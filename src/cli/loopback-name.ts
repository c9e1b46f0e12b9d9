import { isIPv4 } from 'node:net';

/** Whether a URL's host name (IPv6 in brackets) surely means this machine: what is sent there leaves no cable. */
export function isLoopbackName(hostname: string): boolean {
  if (hostname === 'localhost' || hostname === '[::1]') return true;
  return isIPv4(hostname) && hostname.startsWith('127.');
}
