import { missingForCeph } from '../../harness/ceph.ts';
import type { Gap } from '../../harness/gaps.ts';
import type { Needs } from './fault.ts';

/** What a round sends to. */
export interface TargetKind {
  readonly name: string;
  /** Whether a receiver stands between the sender and the store, and a link that can be made bad. */
  readonly link: boolean;
  readonly store: 'folder' | 'bucket' | 'memory';
  /** Why it can't be had on this machine. */
  readonly impossible?: () => Gap | undefined;
}

export const TARGETS: readonly TargetKind[] = [
  { name: 'receiver', link: true, store: 'folder' },
  { name: 'bucket', link: false, store: 'bucket', impossible: noBucket },
  // One that listens as a bucket does, without mtimes; see memory-receiver.ts.
  { name: 'receiver-memory', link: true, store: 'memory' },
  { name: 'folder', link: false, store: 'folder' },
  { name: 'receiver-bucket', link: true, store: 'bucket', impossible: noBucket },
];

/** Whether a round to `target` can have what a fault needs. */
export function suits(target: TargetKind, { link, store, bucket, ownProcess, smallDisk }: Needs): boolean {
  if (link === true && !target.link) return false;
  if (bucket !== undefined && (target.store === 'folder' || (bucket === 'link' && target.store !== 'bucket')))
    return false;
  if (ownProcess === true && target.store === 'memory') return false;
  return (store === undefined && smallDisk !== 'store') || target.store === 'folder';
}

function noBucket(): Gap | undefined {
  if (process.env['ISYNC_TEST_S3_ENDPOINT'] !== undefined) return undefined;
  const missing = missingForCeph();
  if (missing === undefined) return undefined;
  return { kind: 'tool', why: `no S3 server ('harness/ceph install'; missing: ${missing})` };
}
