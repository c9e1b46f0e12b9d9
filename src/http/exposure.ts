import { isLoopback, type ListenAddress } from '../http/listen-address.ts';
import { IsyncError } from '../model/isync-error.ts';

/** @throws IsyncError CONFIG_INVALID where anybody on the network could write into the store */
export function checkExposure({ host }: ListenAddress, guarded: boolean): void {
  if (guarded || isLoopback(host)) return;
  throw new IsyncError(
    'CONFIG_INVALID',
    `without tokens a receiver listens on loopback only, and ${host} is not`,
    { hint: 'Give it tokens (--tokens), or say --insecure where everybody on the network may write.' },
  );
}
