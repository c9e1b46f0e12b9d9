import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type Catalogue, readCatalogue } from '../../src/backup/catalogue/catalogue.ts';
import type { KeepRule } from '../../src/backup/job.ts';
import type { Manifest } from '../../src/backup/manifest/manifest.ts';
import { pruneJob, type PruneRequest } from '../../src/backup/prune/prune-job.ts';
import type { Pruned } from '../../src/backup/prune/pruned.ts';
import type { JobState } from '../../src/backup/state/job-state.ts';
import { openJobState } from '../../src/backup/state/open-state.ts';
import { RecordingLog } from '../recording-log.ts';
import { type MadeBackup, makeBackup } from './made-backup.ts';
import { MemoryTarget } from './memory-target.ts';
import { file } from './restoring.ts';

const HOUR_MS = 3_600_000;

/** A store in memory with backups of the job "app", and the state of a machine that prunes it. */
export class PruneStage {
  readonly target: MemoryTarget;
  readonly state: JobState;
  readonly log = new RecordingLog();
  readonly made = new Map<number, MadeBackup>();

  private constructor(target: MemoryTarget, state: JobState) {
    this.target = target;
    this.state = state;
  }

  static async start(target = new MemoryTarget()): Promise<PruneStage> {
    const folder = mkdtempSync(join(tmpdir(), 'isync-prune-'));
    const state = await openJobState(join(folder, 'app'));
    onTestFinished(() => {
      state[Symbol.dispose]();
      rmSync(folder, { recursive: true });
    });
    return new PruneStage(target, state);
  }

  /** A full backup, or one on `base` that needs all that the base needs. Its files are its own but for those of the base. */
  async make(version: number, base?: number, change: Partial<Manifest> = {}): Promise<MadeBackup> {
    const before = base === undefined ? undefined : this.made.get(base);
    const old = before?.records.map(({ path }) => path) ?? [];
    const members = [...old, `srv/${version}`].map((path) => file(path, path.repeat(50)));
    const { target } = this;
    const made = await makeBackup({ target, version, members, change, ...(before && { base: before }) });
    this.made.set(version, made);
    return made;
  }

  async catalogue(): Promise<Catalogue> {
    return await readCatalogue(this.target, { log: this.log });
  }

  async prune(
    keep: Partial<KeepRule> | undefined,
    more: Partial<PruneRequest> = {},
  ): Promise<Pruned & { readonly calls: readonly string[] }> {
    const { target, state, log } = this;
    const catalogue = more.catalogue ?? (await this.catalogue());
    target.calls.length = 0;
    const pruned = await pruneJob({
      job: {
        name: 'app',
        nameTemplate: '{system}_{type}_{timestamp}_{version}',
        keep: keep && { min: 1, ...keep },
        timezone: 'UTC',
      },
      target,
      catalogue,
      state,
      run: undefined,
      isOwn: true,
      isDryRun: false,
      log,
      signal: new AbortController().signal,
      ...more,
    });
    return { ...pruned, calls: [...target.calls] };
  }

  /** What is there, by version, and what else there is. */
  get versions(): number[] {
    return [...this.target.objects.keys()]
      .filter((key) => key.endsWith('.manifest'))
      .map((key) => Number(/_(\d+)\.tar/.exec(key)?.[1]))
      .toSorted((a, b) => a - b);
  }

  nameOf(version: number): string {
    return this.made.get(version)!.manifest.name;
  }

  /** Makes an object look as old as that. */
  age(key: string, hours: number): void {
    const object = this.target.objects.get(key)!;
    this.target.objects.set(key, { ...object, modifiedMs: Date.now() - hours * HOUR_MS });
  }
}

/** A store with a full backup, one on it, and two full ones. */
export async function fourBackups(target?: MemoryTarget): Promise<PruneStage> {
  const stage = await PruneStage.start(target);
  await stage.make(1);
  await stage.make(2, 1);
  await stage.make(3);
  await stage.make(4);
  return stage;
}

/** What it says of each backup: `3 removed`. */
export function fatesOf({ backups }: Pruned): string[] {
  return backups.map(({ version, fate }) => `${version} ${fate}`);
}
