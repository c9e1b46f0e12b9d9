import { createHash } from 'node:crypto';

/** Of the digest, in hexadecimal digits: two mirrors of one chain never have the same. */
const ID_DIGITS = 16;

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

/** `Via` of a request to an origin. https://www.rfc-editor.org/rfc/rfc9110#name-via */
export function viaHeader(id: string): string {
  return `1.1 ${id}`;
}

/** Whether a request has been through the mirror `id` already. @param via its `Via`, several joined by "," */
export function hasPassed(via: string | undefined, id: string): boolean {
  return (via ?? '').split(',').some((entry) => entry.trim().split(/\s+/)[1] === id);
}
