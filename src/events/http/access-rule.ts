import { bearerToken } from '../../access/bearer-token.ts';
import { sameSecret } from '../../access/same-secret.ts';
import type { HttpRequest } from '../../http/handler.ts';
import type { Caller } from './caller.ts';
import type { Networks } from './networks.ts';

/** Ways to be allowed to post; one of them suffices. */
export interface AccessWays {
  /** `Authorization: Bearer TOKEN`, or the token alone: MinIO sends its `auth_token` as it is where it holds a blank. */
  readonly token?: string | undefined;
  /** The segment SECRET of /webhook/SECRET. */
  readonly secretPath?: string | undefined;
  readonly networks?: Networks | undefined;
}

/**
 * How a request came to be allowed. `open`: nobody was asked for anything, so whoever posts is a stranger. Undefined: not
 * allowed.
 */
export type Admission = 'token' | 'path' | 'network' | 'open' | undefined;

export function isGuarded({ token, secretPath, networks }: AccessWays): boolean {
  return token !== undefined || secretPath !== undefined || networks !== undefined;
}

/** @param segment what follows /webhook/ in the path; undefined where nothing does */
export function admissionOf(
  ways: AccessWays,
  { headers }: HttpRequest,
  { address }: Caller,
  segment: string | undefined,
): Admission {
  // A page in a browser of this machine can post to a server on loopback; it can't hide that it is one.
  if (!isGuarded(ways)) return segment === undefined && headers['origin'] === undefined ? 'open' : undefined;
  if (segment !== undefined && !isPath(ways, segment)) return undefined;
  if (segment !== undefined) return 'path';
  if (ways.token !== undefined && isToken(ways.token, headers['authorization'])) return 'token';
  return ways.networks?.has(address) === true ? 'network' : undefined;
}

export function isPath({ secretPath }: AccessWays, segment: string): boolean {
  return secretPath !== undefined && sameSecret(segment, secretPath);
}

/** Compares with both, whatever comes of the first. */
function isToken(token: string, authorization = ''): boolean {
  const [asItIs, asBearer] = [
    sameSecret(authorization.trim(), token),
    sameSecret(bearerToken(authorization) ?? '', token),
  ];
  return asItIs || asBearer;
}
