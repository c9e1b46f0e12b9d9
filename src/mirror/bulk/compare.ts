import { hasMd5, type ObjectFacts } from '../../s3/look.ts';
import type { ListedObject } from '../../s3/objects.ts';
import { FILLED_BY, KEPT_MD5, KEPT_SIZE, ORIGIN_ETAG, ORIGIN_MODIFIED } from '../kept/origin-metadata.ts';
import type { OriginFacts } from './candidate.ts';

/** How much the clocks of two servers may differ, in ms: S3 takes no request whose time is further off. */
const CLOCKS_MS = 15 * 60_000;
const MD5 = /^[0-9a-f]{32}$/;

/** Whether an object is still just what a mirror has put there. Programs that copy objects copy our metadata, too. */
export function isAsPut(kept: ObjectFacts): boolean {
  const { metadata, size, etag } = kept;
  if (metadata[FILLED_BY] === undefined || metadata[KEPT_SIZE] !== String(size)) return false;
  return !hasMd5(kept) || metadata[KEPT_MD5] === etag;
}

/** Whether an object that a mirror has put is another one at the origin by now. */
export function isChanged({ metadata, size }: ObjectFacts, origin: OriginFacts): boolean {
  if (origin.size !== undefined && origin.size !== size) return true;
  const keptModifiedMs = Date.parse(metadata[ORIGIN_MODIFIED] ?? '');
  const isTimed = origin.modifiedMs !== undefined && !Number.isNaN(keptModifiedMs);
  const laterS = isTimed ? seconds(origin.modifiedMs) - seconds(keptModifiedMs) : 0;
  // Within one second, only the ETag of a bucket tells: servers of the web may have several for one version.
  if (isTimed && (laterS !== 0 || !origin.hasMd5)) return laterS > 0;
  const keptEtag = metadata[ORIGIN_ETAG];
  return keptEtag !== undefined && origin.etag !== undefined && keptEtag !== origin.etag;
}

/** Whether listings alone tell that nothing has changed at the origin since an object was kept. */
export function isSurelyUnchanged(kept: ListedObject, origin: OriginFacts): boolean {
  if (origin.size !== kept.size || origin.modifiedMs === undefined) return false;
  return origin.modifiedMs + CLOCKS_MS < kept.modifiedMs;
}

export type Comparison =
  /** `by`: what has been compared. */
  | { readonly kind: 'same'; readonly by: 'digest' | 'etag' | 'size' | 'nothing' }
  | { readonly kind: 'different'; readonly reason: string };

/** Whether listings alone tell that both have the same bytes. An ETag in a listing may be no MD5: one that differs proves nothing. */
export function isSurelySame(kept: ListedObject, origin: OriginFacts): boolean {
  const md5 = md5Of(origin);
  return md5 !== undefined && kept.etag === md5 && kept.size === origin.size;
}

/** Compares what is kept with what the origin has, as far as can be told without their bytes. */
export function compared(kept: ObjectFacts, origin: OriginFacts): Comparison {
  if (origin.size !== undefined && origin.size !== kept.size)
    return { kind: 'different', reason: `${kept.size} bytes, and ${origin.size} at the origin` };
  const isOurs = isAsPut(kept);
  const keptMd5 = hasMd5(kept) ? kept.etag : isOurs ? kept.metadata[KEPT_MD5] : undefined;
  const originMd5 = md5Of(origin);
  if (originMd5 !== undefined && originMd5 === keptMd5) return { kind: 'same', by: 'digest' };
  // The very version that was kept, whatever its ETag is made of.
  const keptEtag = isOurs ? kept.metadata[ORIGIN_ETAG] : undefined;
  if (keptEtag !== undefined && keptEtag === origin.etag && !keptEtag.startsWith('W/'))
    return isChanged(kept, origin) ? newer() : { kind: 'same', by: 'etag' };
  if (originMd5 !== undefined && keptMd5 !== undefined)
    return { kind: 'different', reason: `its MD5 is ${keptMd5}, and ${originMd5} at the origin` };
  if (isOurs && isChanged(kept, origin)) return newer();
  return { kind: 'same', by: origin.size === undefined ? 'nothing' : 'size' };
}

function newer(): Comparison {
  return { kind: 'different', reason: 'the origin has a newer version' };
}

function md5Of({ etag, hasMd5 }: OriginFacts): string | undefined {
  const bare = etag?.replaceAll('"', '');
  return hasMd5 && bare !== undefined && MD5.test(bare) ? bare : undefined;
}

/** HTTP has whole seconds. */
function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}
