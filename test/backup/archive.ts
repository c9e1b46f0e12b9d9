import { createHash } from 'node:crypto';
import type { SealSecrets } from '../../src/backup/encrypt/encryption.ts';
import type { PackedArchive, PackRecord } from '../../src/backup/state/job-state.ts';

export const KEY = 'app_full_20250405T120000Z_003.tar';
export const PART_BYTES = 100;
/** The same in every process. */
export const ARCHIVE = Buffer.from(Array.from({ length: 110_005 }, (_, at) => (at * 7919) >>> 5));

export const SECRETS: SealSecrets = {
  header: Buffer.from('head'),
  fileKey: Buffer.alloc(16, 1),
  nonce: Buffer.alloc(16, 2),
};

/** An archive that has been begun, for targets of these names. */
export function packOf(
  targets: readonly { readonly name: string }[],
  pack: Partial<PackRecord> = {},
): PackRecord {
  return {
    run: 'run-1',
    version: 3,
    name: KEY,
    type: 'full',
    base: undefined,
    startedMs: 1_743_854_400_000,
    partBytes: PART_BYTES,
    secrets: undefined,
    packed: undefined,
    isOverflowed: false,
    targets: targets.map(({ name }) => name),
    ...pack,
  };
}

export function archiveOf(bytes: Buffer): PackedArchive {
  return { size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}
