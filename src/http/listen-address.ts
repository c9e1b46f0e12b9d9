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

/** Whether only this machine can reach `host`. Names other than "localhost" may mean anything, so they don't count. */
export function isLoopback(host: string): boolean {
  if (isIPv4(host)) return LOOPBACK.check(host, 'ipv4');
  if (isIPv6(host)) return LOOPBACK.check(host, 'ipv6');
  return host === 'localhost';
}

/** @throws IsyncError CONFIG_INVALID where anybody on the network could write into the store */
export function checkExposure({ host }: ListenAddress, guarded: boolean): void {
  if (guarded || isLoopback(host)) return;
  throw new IsyncError(
    'CONFIG_INVALID',
    `without tokens a receiver listens on loopback only, and ${host} is not`,
    { hint: 'Give it tokens (--tokens), or say --insecure where everybody on the network may write.' },
  );
}

/** `scheme://host:port`, IPv6 in brackets. */
export function urlOf(scheme: 'ws' | 'wss', { host, port }: ListenAddress): string {
  return `${scheme}://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

/** What a failed listen(2) means to the user. */
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
  [
    'EADDRINUSE',
    { reason: 'the port is taken', hint: 'Stop what uses it, or choose another with --listen.' },
  ],
  ['EACCES', { reason: 'not permitted', hint: 'Ports below 1024 need privileges; choose a higher one.' }],
  ['EADDRNOTAVAIL', NO_SUCH_ADDRESS],
  ['ENOTFOUND', NO_SUCH_ADDRESS],
]);
