import { readOwnToken } from '../../config/token-file.ts';
import { checkExposure } from '../../http/exposure.ts';
import type { ListenAddress } from '../../http/listen-address.ts';

export interface StatusSettings {
  readonly status?: ListenAddress | undefined;
  readonly statusTokenFile?: string | undefined;
}

/**
 * The token that readers of the page must bring; undefined where none is needed. Commands ask before they open anything.
 * @throws IsyncError CONFIG_INVALID: a token that can't be used, or none where the page can be reached from beyond this machine
 */
export function statusToken({ status, statusTokenFile }: StatusSettings): string | undefined {
  if (status === undefined) return undefined;
  const token = statusTokenFile === undefined ? undefined : readOwnToken(statusTokenFile);
  checkExposure(status, token !== undefined, {
    server: 'the status page',
    hint: 'Let it listen on 127.0.0.1, or give it a token (--status-token-file).',
  });
  return token;
}
