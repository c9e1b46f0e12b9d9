import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BackupJob } from '../../src/backup/job.ts';
import type { Manifest } from '../../src/backup/manifest/manifest.ts';
import { decodeManifest } from '../../src/backup/manifest/manifest-codec.ts';
import { runJob } from '../../src/backup/run/run-job.ts';
import type { RunRequest, RunResult } from '../../src/backup/run/run-request.ts';
import type { RunRecord } from '../../src/backup/state/job-state.ts';
import type { BackupTarget } from '../../src/backup/target/target.ts';
import { RecordingLog } from '../recording-log.ts';
import type { MemoryTarget } from './memory-target.ts';
import { folderSource, jobOf } from './packing.ts';
import { differences, newFolder, restored } from './restoring.ts';

const DAY_MS = 86_400_000;

/** A machine with a folder to back up, and the state of its job. */
export class RunStage {
  readonly root = newFolder();
  readonly data = join(this.root, 'data');
  readonly log = new RecordingLog();
  readonly told: RunRecord[] = [];

  constructor() {
    mkdirSync(this.data);
    this.put('a/small', 'hello');
    this.put('b', 'x'.repeat(5000));
  }

  put(path: string, content: string | Buffer): void {
    const at = join(this.data, path);
    mkdirSync(join(at, '..'), { recursive: true });
    writeFileSync(at, content);
  }

  job(more: Partial<BackupJob> = {}): BackupJob {
    return jobOf(join(this.root, 'state'), [folderSource(this.data)], {
      name: 'app',
      fullEveryMs: 7 * DAY_MS,
      nameTemplate: '{system}_{type}_{timestamp}_{version}',
      ...more,
    });
  }

  request(targets: readonly BackupTarget[], more: Partial<RunRequest> = {}): RunRequest {
    return {
      job: this.job(),
      targets,
      trigger: 'command',
      type: undefined,
      isRehash: false,
      isAdopting: false,
      isWaiting: false,
      madeBy: 'isync test',
      notices: {
        started: (run) => void this.told.push(run),
        ended: (run) => void this.told.push(run),
      },
      log: this.log,
      signal: new AbortController().signal,
      ...more,
    };
  }

  async run(targets: readonly BackupTarget[], more: Partial<RunRequest> = {}): Promise<RunResult> {
    return await runJob(this.request(targets, more));
  }

  /** A run that must be complete. */
  async ran(target: MemoryTarget, more: Partial<RunRequest> = {}): Promise<Manifest> {
    const result = await this.run([target], more);
    const failed = result.error ?? result.failures[0]?.error;
    if (failed !== undefined) throw failed;
    return result.backups[0]!.manifest;
  }

  /** Restores a backup, and compares it with what there is now. */
  async check(target: MemoryTarget, manifest: Manifest): Promise<void> {
    const to = join(newFolder(), 'to');
    const { isComplete } = await restored(target, { manifest, records: [] }, to);
    const found = differences(this.data, join(to, this.data));
    if (!isComplete || found !== '') throw new Error(`not what was backed up: ${isComplete} ${found}`);
  }
}

export function manifestsOf(target: MemoryTarget): Manifest[] {
  return [...target.objects.values()]
    .filter(({ key }) => key.endsWith('.manifest'))
    .map(({ key, bytes }) => decodeManifest(bytes, key))
    .toSorted((a, b) => a.version - b.version);
}
