import type { Log } from '../../model/log.ts';
import type { Problem } from '../../model/problem.ts';
import type { NewestBy } from '../../scanner/data-directory.ts';
import type { IgnoreRule } from '../../scanner/ignore-rule.ts';
import type { Target } from '../target.ts';
import type { MinFree } from './room.ts';

export interface ExpireOptions {
  /** Absolute path. */
  readonly root: string;
  readonly target: Target;
  /** Opens what is asked in place of `target`, once something is due. */
  readonly connect?: (() => Promise<Target>) | undefined;
  /** Only data directories whose name begins so. */
  readonly tag: string;
  /** Tells of files that a scan leaves alone: the target lacks them, so their directory stays. */
  readonly ignore: IgnoreRule;
  /** How the scan of this root knows the newest directory. */
  readonly newest: NewestBy;
  /** A directory goes once its seal is this old, in ms; undefined: age alone removes none. */
  readonly keepMs: number | undefined;
  /** Directories go while there is less room than this, whatever their age; undefined: room removes none. */
  readonly minFree: MinFree | undefined;
  /** No directory whose seal is younger than this goes, in ms. */
  readonly keepAtLeastMs: number;
  /** Most directories that go at a time; undefined: all that are due. */
  readonly maxDelete: number | undefined;
  /** Do all but the removal. */
  readonly dryRun: boolean;
  /** Have the target read every byte, also where it keeps a digest with the file. */
  readonly readBack: boolean;
  /** How the store is called in the record of what has gone. */
  readonly targetName: string;
  /** Directories that are not looked into now, though they are due. */
  readonly spare?: ((name: string) => boolean) | undefined;
  /** A directory under way is put back where it has not begun to go. */
  readonly signal: AbortSignal;
  readonly observer: ExpireObserver;
  readonly log: Log;
}

/** Called as things happen; must not throw and must return at once. */
export interface ExpireObserver {
  /** Files compared with the target, and their bytes. */
  compared(files: number, bytes: number): void;
  expired(directory: ExpiredDirectory): void;
  /** NOT_EXPIRED, DIFFERENT or FILE_…: why a directory that is due stays. */
  kept(directory: string, problem: Problem): void;
}

/** A directory that has gone, or with `dryRun` would. */
export interface ExpiredDirectory {
  readonly name: string;
  readonly files: number;
  readonly bytes: number;
  /** When it was sealed, ISO 8601. */
  readonly sealed: string;
  readonly because: 'age' | 'room';
}

/** The `--json` summary of `isync expire`. */
export interface ExpireSummary {
  readonly expired: readonly ExpiredDirectory[];
  readonly files: number;
  readonly bytes: number;
  /** Directories that are due and stay, and why. */
  readonly kept: readonly (Problem & { readonly directory: string })[];
  /** Directories that are due and have to wait, because of `maxDelete`. */
  readonly left: number;
  /** Bytes free on the disk of the root, and its size, at the end. */
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** Less is free than `minFree` asks for. */
  readonly short: boolean;
  /** Directories that are sealed, and too young to go however short room is. */
  readonly young: number;
  /** When the first of those may go, ISO 8601; undefined where there is none. */
  readonly next: string | undefined;
  /** Directories that are not sealed. */
  readonly unsealed: number;
  readonly dryRun: boolean;
  readonly seconds: number;
}
