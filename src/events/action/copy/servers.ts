import { IsyncError } from '../../../model/isync-error.ts';
import type { PoolAccess } from '../bucket-pool.ts';
import type { CopyOptions } from './copy-options.ts';

/** Names of AWS itself, of all partitions. */
const AWS = /(?:^|\.)amazonaws\.com(?:\.cn)?$/;
const LOOPBACK = /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/;

/** Whether two servers are one, as far as their addresses tell: one server may have many names. */
export function isSameServer(a: PoolAccess, b: PoolAccess): boolean {
  return serverOf(a) === serverOf(b);
}

/** Whether both sides are reached as the same user. */
export function isSameUser(a: PoolAccess, b: PoolAccess): boolean {
  return userOf(a) === userOf(b);
}

/**
 * Refuses a copy whose results are objects to copy.
 * @throws IsyncError CONFIG_INVALID
 */
export function checkApart({ source, target }: Pick<CopyOptions, 'source' | 'target'>): void {
  const { buckets = [], prefix = '', access } = source;
  if (!buckets.includes(target.bucket) || !isSameServer(access, target.access)) return;
  const overlaps = prefix.startsWith(target.prefix) || target.prefix.startsWith(prefix);
  if (!overlaps) return;
  const name = `s3://${target.bucket}/${target.prefix}`;
  throw new IsyncError('CONFIG_INVALID', `${name} is both a source and the target of the copy`, {
    hint: 'Each copy would be an object to copy once more. Copy to another bucket, or from one prefix to another that is not inside it.',
  });
}

function serverOf({ endpoint }: PoolAccess): string {
  if (endpoint === undefined) return 'aws';
  const { protocol, hostname, port } = new URL(endpoint);
  if (AWS.test(hostname)) return 'aws';
  const host = LOOPBACK.test(hostname) ? 'loopback' : hostname.replace(/\.$/, '');
  return `${host}:${port === '' ? { 'http:': '80', 'https:': '443' }[protocol] : port}`;
}

function userOf({ profile, credentials, roleArn }: PoolAccess): string {
  const { accessKeyId, secretAccessKey, sessionToken } = credentials ?? {};
  return JSON.stringify([profile, accessKeyId, secretAccessKey, sessionToken, roleArn]);
}
