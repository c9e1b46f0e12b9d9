import type { FileEntry } from './file-entry.ts';

type Version = Pick<FileEntry, 'size' | 'mtimeUs'>;

/**
 * How a power cut damages a file that the device had not written to its disk: it keeps the mtime and loses bytes, or has
 * zeros in place of them. For `zeros` the bytes of both sides count: a kept copy that is all zeros is no better.
 */
export type Damage = 'shorter' | 'zeros';

/**
 * How an incoming version seems damaged, compared with the kept one of the same path; undefined where it does not. A version
 * that grew within the same clock tick is newer, not damaged.
 *
 * @param allZeros whether the incoming content is nothing but zeros
 */
export function damageOf(kept: Version, incoming: Version, allZeros: boolean): Damage | undefined {
  // utimes(2) through a double may be off by one microsecond.
  if (Math.abs(kept.mtimeUs - incoming.mtimeUs) > 1) return undefined;
  if (incoming.size < kept.size) return 'shorter';
  if (incoming.size === kept.size && incoming.size > 0 && allZeros) return 'zeros';
  return undefined;
}

/** Says what is wrong and what to do, in one text: the wire carries no hint. */
export function damageMessage(kept: Version, incoming: Version, damage: Damage): string {
  const here = damage === 'zeros' ? `${incoming.size} bytes of nothing but zeros` : `${incoming.size} bytes`;
  return (
    `seems damaged by a power cut: it has ${here}, and the target keeps ${kept.size} bytes of the same time; ` +
    'copy it back from the target, or send it all the same with --replace-damaged'
  );
}

/** Whether all of `bytes` are zero; true of no bytes. Stops at the first other byte. */
export function isAllZeros(bytes: Uint8Array): boolean {
  const { length } = bytes;
  for (let at = 0; at < length; at += ZEROS.length) {
    const end = Math.min(length, at + ZEROS.length);
    // The first byte decides nearly every case, without a call.
    if (bytes[at] !== 0 || ZEROS.compare(bytes, at, end, 0, end - at) !== 0) return false;
  }
  return true;
}

const ZEROS = Buffer.alloc(64 * 1024);
