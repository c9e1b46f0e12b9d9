import { DIGEST_ALGORITHMS, DIGEST_BYTES, type DigestAlgorithm } from '../../model/digest.ts';
import type { FileEntry } from '../../model/file-entry.ts';
import { firstSegment } from '../../model/rel-path.ts';
import type { FileDigest } from '../store.ts';

/** The names that rclone uses: https://rclone.org/s3/#metadata. The mode is that of the file store. */
const MTIME = 'mtime';
const MODE = 'mode';
const PUBLISHED_MODE = '100644';
const DEVICE = 'isync-device';
const DIGEST = 'isync-digest';
const UPLOAD = 'isync-upload';

/** The form of rclone: seconds since the epoch with up to nine decimals. */
const SECONDS = /^(-?)(\d{1,12})(?:\.(\d{1,9}))?$/;

/**
 * The user metadata (`x-amz-meta-…`) that is kept with the bytes of a file. The digest of a multipart upload is not known
 * when its metadata must be given; instead `upload` tells it from others.
 */
export function toMetadata(
  file: FileEntry,
  known: { digest?: { algorithm: DigestAlgorithm; value: Uint8Array }; upload?: string },
): Record<string, string> {
  const device = firstSegment(file.path);
  return {
    [MTIME]: formatSeconds(file.mtimeUs),
    [MODE]: PUBLISHED_MODE,
    // A header takes no other characters; device names have none.
    ...(device !== file.path && /^[\w.-]+$/.test(device) && { [DEVICE]: device }),
    ...(known.digest && {
      [DIGEST]: `${known.digest.algorithm}:${Buffer.from(known.digest.value).toString('hex')}`,
    }),
    ...(known.upload !== undefined && { [UPLOAD]: known.upload }),
  };
}

/** The mtime in µs; undefined where there is none that can be read. */
export function mtimeOf(metadata: Readonly<Record<string, string>> | undefined): number | undefined {
  const [, sign, seconds, fraction] = SECONDS.exec(metadata?.[MTIME] ?? '') ?? [];
  if (seconds === undefined) return undefined;
  const us = Number(seconds) * 1e6 + Math.round(Number(`0.${fraction ?? 0}`) * 1e6);
  return sign === '-' ? 0 - us : us;
}

/** The digest that was put with the bytes; undefined where there is none that can be read, as with every multipart upload. */
export function digestIn(metadata: Readonly<Record<string, string>> | undefined): FileDigest | undefined {
  const [name, hex = ''] = metadata?.[DIGEST]?.split(':') ?? [];
  const algorithm = DIGEST_ALGORITHMS.find((known) => known === name);
  if (algorithm === undefined || !/^[0-9a-f]+$/.test(hex)) return undefined;
  const value = Buffer.from(hex, 'hex');
  return value.length === DIGEST_BYTES[algorithm] ? { algorithm, value } : undefined;
}

/** The multipart upload of ours that has made the object; undefined where none has. */
export function uploadOf(metadata: Readonly<Record<string, string>> | undefined): string | undefined {
  return metadata?.[UPLOAD];
}

function formatSeconds(us: number): string {
  const abs = Math.abs(us);
  const seconds = Math.floor(abs / 1e6);
  return `${us < 0 ? '-' : ''}${seconds}.${String(abs % 1e6).padStart(6, '0')}`;
}
