import { IsyncError } from '../model/isync-error.ts';
import { isLoopback, type ListenAddress } from './listen-address.ts';

/** How a server speaks of itself, and of what would let it listen beyond loopback. */
export interface ExposureWords {
  /** As in "a receiver". */
  readonly server: string;
  readonly hint: string;
}

/**
 * Without tokens a server listens on loopback only, unless its user asks for more.
 * @param guarded whether it asks for tokens, or was told that it needs none
 * @throws IsyncError CONFIG_INVALID where anybody on the network could use the server
 */
export function checkExposure(
  { host }: ListenAddress,
  guarded: boolean,
  { server, hint }: ExposureWords,
): void {
  if (guarded || isLoopback(host)) return;
  throw new IsyncError(
    'CONFIG_INVALID',
    `without tokens ${server} listens on loopback only, and ${host} is not`,
    { hint },
  );
}
