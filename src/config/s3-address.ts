import { OWN_FOLDER } from '../model/own-folder.ts';
import { relPathFault } from '../model/rel-path.ts';
import { badValue } from './values.ts';

/** The place of files in S3. */
export interface S3Address {
  readonly bucket: string;
  /** What every key begins with, without "/" at either end; '' for the whole bucket. */
  readonly prefix: string;
}

/**
 * Longest prefix in bytes of UTF-8. A key has 1024, most of which the device and its paths need.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
 */
const MAX_PREFIX_BYTES = 256;
const EXAMPLE = 's3://BUCKET or s3://BUCKET/PREFIX';

/**
 * The rules for general purpose buckets, which Ceph has too.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
 */
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const IPV4 = /^\d+\.\d+\.\d+\.\d+$/;

/**
 * Parses an address literally, as S3's own tools do: "%20" in a prefix is three characters.
 * @throws IsyncError CONFIG_INVALID whose message completes a sentence that begins with the value
 */
export function parseS3Address(text: string): S3Address {
  const rest = /^s3:\/\/(.*)$/is.exec(text)?.[1];
  if (rest === undefined) throw badValue(`is no address like ${EXAMPLE}`);
  if (/[?#]/.test(rest))
    throw badValue(`has a "?" or "#" part, which ${EXAMPLE} has not; see the --s3-… options`);
  const [, bucket = '', path = ''] = /^([^/]*)(?:\/(.*))?$/s.exec(rest) ?? [];
  if (bucket.includes('@') || bucket.includes(':'))
    throw badValue(
      'holds credentials or a port; the former come from the AWS environment, a profile or a role, the latter is part of --s3-endpoint',
    );
  checkBucket(bucket);
  return { bucket, prefix: parsePrefix(path) };
}

function checkBucket(bucket: string): void {
  if (bucket === '') throw badValue(`names no bucket; it must be ${EXAMPLE}`);
  if (!BUCKET.test(bucket) || bucket.includes('..') || IPV4.test(bucket))
    throw badValue(
      `names no bucket that can be: "${bucket}" is not 3 to 63 of a-z 0-9 "-" ".", with a letter or digit at both ends`,
    );
}

function parsePrefix(path: string): string {
  const prefix = path.endsWith('/') ? path.slice(0, -1) : path;
  if (path === '') return '';
  const fault = prefix === '' ? 'has an empty segment' : relPathFault(prefix);
  if (fault !== undefined) throw badValue(`has a prefix that ${fault}; it must be like a/b`);
  if (prefix.toLowerCase().split('/').includes(OWN_FOLDER))
    throw badValue(
      `has the segment "${OWN_FOLDER}", where a store keeps what is its own; choose another prefix`,
    );
  if (Buffer.byteLength(prefix) > MAX_PREFIX_BYTES)
    throw badValue(`has a prefix over ${MAX_PREFIX_BYTES} bytes; S3 allows 1024 for a whole key`);
  return prefix;
}
