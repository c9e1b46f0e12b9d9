import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { errnoOf, IsyncError } from '../model/isync-error.ts';

export interface ListenAddress {
  /** An IP address or a name of this machine. */
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/**
 * Whether `host` surely is this machine, so that what is sent there crosses no network. Takes an address, in brackets or
 * not, or a name; of names only "localhost" counts, for any other may be resolved to anything.
 */
export function isLoopback(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, '$1');
  if (isIPv4(address)) return LOOPBACK.check(address, 'ipv4');
  if (isIPv6(address)) return LOOPBACK.check(address, 'ipv6');
  return host === 'localhost';
}

/** `scheme://host:port`, IPv6 in brackets. */
export function urlOf(scheme: string, { host, port }: ListenAddress): string {
  return `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** CONFIG_INVALID with what a failed listen(2) means to the user. */
export function listenError(error: unknown, { host, port }: ListenAddress): IsyncError {
  const fault = LISTEN_FAULTS.get(errnoOf(error) ?? '');
  const reason = fault?.reason ?? (error instanceof Error ? error.message : String(error));
  return new IsyncError('CONFIG_INVALID', `can't listen on ${host}:${port}: ${reason}`, {
    cause: error,
    ...(fault && { hint: fault.hint }),
  });
}

const NO_SUCH_ADDRESS = {
  reason: 'this machine has no such address',
  hint: 'Listen on 0.0.0.0 or :: for all that it has.',
};

const LISTEN_FAULTS: ReadonlyMap<string, { readonly reason: string; readonly hint: string }> = new Map([
  ['EADDRINUSE', { reason: 'the port is taken', hint: 'Stop what uses it, or choose another one.' }],
  [
    'EACCES',
    {
      reason: 'not permitted',
      hint: 'Ports below 1024 need CAP_NET_BIND_SERVICE (AmbientCapabilities= of systemd); or choose a higher one.',
    },
  ],
  ['EADDRNOTAVAIL', NO_SUCH_ADDRESS],
  ['ENOTFOUND', NO_SUCH_ADDRESS],
]);
