import { createHash } from 'node:crypto';

/** Of the digest, in hexadecimal digits: two mirrors of one chain never have the same. */
const ID_DIGITS = 16;
const ID = new RegExp(`^isync-[0-9a-f]{${ID_DIGITS}}$`);
/** Mirrors that a request may have been through. So a ring ends also where something in it loses the names of some. */
const MOST_MIRRORS = 16;

/**
 * The name of a mirror in `Via`. All processes of one mirror have the same: a request that comes back through a CDN reaches another
 * one of them.
 * @param bucket what is filled, such as `s3://bucket/prefix at https://endpoint`
 * @param serviceEndpoint where clients are sent back to
 */
export function viaId(bucket: string, serviceEndpoint: string): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([bucket, serviceEndpoint]))
    .digest('hex');
  return `isync-${digest.slice(0, ID_DIGITS)}`;
}

/**
 * The mirrors that a request has been through, by their ids: the first one first, each once. What else stands in `Via` is left out, for
 * a client can write anything there.
 * @param via of the request, several joined by ","
 */
export function mirrorsIn(via: string | undefined): readonly string[] {
  const names = (via ?? '').split(',').map((entry) => entry.trim().split(/\s+/)[1] ?? '');
  return [...new Set(names.filter((name) => ID.test(name)))];
}

/**
 * `Via` of a request to an origin. https://www.rfc-editor.org/rfc/rfc9110#name-via
 * @param passed the mirrors that the request has been through before
 */
export function viaHeader(passed: readonly string[], id: string): string {
  return [...passed, id].map((each) => `1.1 ${each}`).join(', ');
}

/** Whether a request goes round: it has been through the mirror `id` already, or through more mirrors than anybody has in a row. */
export function isLoop(passed: readonly string[], id: string): boolean {
  return passed.includes(id) || passed.length > MOST_MIRRORS;
}
