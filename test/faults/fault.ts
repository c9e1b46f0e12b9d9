import type { Gap } from '../../harness/gaps.ts';
import type { FaultyProxy } from '../../harness/faulty-proxy.ts';
import type { BucketTrouble } from './bucket-trouble.ts';
import type { Random } from '../../harness/random.ts';
import type { TargetKind } from './targets.ts';
import type { Victim } from './victim.ts';

/** What a fault may lay its hands on. */
export interface Stage {
  readonly random: Random;
  readonly root: string;
  readonly target: TargetKind;
  /** The folder that is the store, where it is one. */
  readonly store: string;
  readonly device: string;
  readonly sender: Victim;
  /** Absent where the sender writes to the store itself. */
  readonly receiver: Victim | undefined;
  readonly proxy: FaultyProxy | undefined;
  /** The way to the store, where that is a bucket of an S3 server. */
  readonly bucketLink: FaultyProxy | undefined;
  /** Has the bucket itself, or what is like one, fail for a while; undefined where there is none. */
  readonly trouble: ((trouble: BucketTrouble | undefined) => Promise<void>) | undefined;
  /** Waits, in ms. */
  readonly pause: (ms: number) => Promise<void>;
}

/** What a round must have prepared for its faults. */
export interface Needs {
  /** A file system of its own for the store or the root, so small that it can be filled. */
  readonly smallDisk?: 'store' | 'root';
  /** Isync and the parser run as somebody who is not root. */
  readonly user?: boolean;
  /** A receiver, and a link to it. */
  readonly link?: boolean;
  /** A store that is a folder. */
  readonly store?: 'folder';
  /** A store that is a bucket, or is like one; with `link` one that is reached over a link. */
  readonly bucket?: 'link' | 'any';
  /** A receiver that is a process with nothing else in it. */
  readonly ownProcess?: boolean;
  /** The parser makes more files at once than the kernel's queue of events holds. */
  readonly burst?: boolean;
}

/** Something that goes wrong once. It has ended, and all is as it was, when `strike` resolves. */
export interface Fault {
  readonly name: string;
  readonly needs: Needs;
  /** Why it can't be tried on this machine. */
  readonly impossible?: Gap | undefined;
  /** Files may rest half written, marks can't be judged at every moment. */
  readonly lenient?: boolean;
  /** Means nothing beside other faults. */
  readonly alone?: boolean;
  readonly strike: (stage: Stage) => Promise<void>;
}
