import type { FileEntry } from './file-entry.ts';

type Version = Pick<FileEntry, 'size' | 'mtimeUs'>;

/**
 * What a power cut at the device leaves of a file that was never written to its disk: the old mtime over too few bytes, or
 * over zeros. `zeros` needs a look at the bytes of both sides: a copy that is nothing but zeros itself is as good.
 */
export type Damage = 'shorter' | 'zeros';

/**
 * How an incoming version seems damaged beside the kept one of the same path; undefined where it does not. One that grew
 * within the same clock tick is a newer version, not a damaged one.
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

/** What is wrong, and what to do, in one sentence: the wire carries no hint. */
export function damageMessage(kept: Version, incoming: Version, damage: Damage): string {
  const here = damage === 'zeros' ? `${incoming.size} bytes of nothing but zeros` : `${incoming.size} bytes`;
  return (
    `seems damaged by a power cut: it has ${here}, and the target keeps ${kept.size} bytes of the same time; ` +
    'copy it back from the target, or send it all the same with --replace-damaged'
  );
}

/** Whether `bytes` are nothing but zeros; reads no further than the first other one. No bytes are. */
export function isAllZeros(bytes: Uint8Array): boolean {
  const { length } = bytes;
  for (let at = 0; at < length; at += ZEROS.length) {
    const end = Math.min(length, at + ZEROS.length);
    // The first byte tells in nearly every case, and costs no call.
    if (bytes[at] !== 0 || ZEROS.compare(bytes, at, end, 0, end - at) !== 0) return false;
  }
  return true;
}

const ZEROS = Buffer.alloc(64 * 1024);
