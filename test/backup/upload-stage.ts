import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { JobState, PackRecord } from '../../src/backup/state/job-state.ts';
import { openJobState } from '../../src/backup/state/open-state.ts';
import type { BackupTarget } from '../../src/backup/target/target.ts';
import { openArchiveUpload, type UploadRequest } from '../../src/backup/upload/open-upload.ts';
import type { ArchiveUpload, UploadOutcome } from '../../src/backup/upload/uploads.ts';
import { RecordingLog } from '../recording-log.ts';
import { archiveOf, packOf } from './archive.ts';

/** The folder of a job, and uploads of its archive, one after the other. */
export class UploadStage {
  readonly stateDir: string;
  readonly state: JobState;
  readonly log = new RecordingLog();

  private constructor(stateDir: string, state: JobState) {
    this.stateDir = stateDir;
    this.state = state;
  }

  /** One whose archive has been begun, for targets of these names. */
  static async start(targets: readonly BackupTarget[], pack: Partial<PackRecord> = {}): Promise<UploadStage> {
    const folder = await mkdtemp(join(tmpdir(), 'isync-upload-'));
    const state = await openJobState(join(folder, 'app'));
    onTestFinished(async () => {
      state[Symbol.dispose]();
      await rm(folder, { recursive: true, force: true });
    });
    const stage = new UploadStage(join(folder, 'app'), state);
    state.packs.begin(packOf(targets, pack));
    return stage;
  }

  get pack(): PackRecord {
    return this.state.packs.find()[0]!;
  }

  async open(
    targets: readonly BackupTarget[],
    settings: Partial<UploadRequest> = {},
  ): Promise<ArchiveUpload> {
    const { pack, stateDir, state, log } = this;
    return await openArchiveUpload({
      pack,
      targets,
      attributes: { tags: {}, metadata: {} },
      state,
      stateDir,
      spoolBytes: 1_000_000,
      bwlimit: undefined,
      log,
      signal: new AbortController().signal,
      ...settings,
    });
  }

  /** A whole run: goes on with what there is, else it packs `bytes`. */
  async run(
    targets: readonly BackupTarget[],
    bytes: Buffer,
    settings: Partial<UploadRequest> = {},
  ): Promise<readonly UploadOutcome[]> {
    await using upload = await this.open(targets, settings);
    if (upload.isPacked) return await upload.finish(this.pack.packed!);
    await writeAll(upload, bytes);
    return await upload.finish(archiveOf(bytes));
  }

  /** Names and sizes of the parts in the spool; undefined where it is gone. */
  async spooled(): Promise<ReadonlyMap<string, number> | undefined> {
    const folder = join(this.stateDir, 'spool', String(this.pack.version));
    const names = await readdir(folder).catch(() => undefined);
    if (names === undefined) return undefined;
    const sizes = names.map(async (name) => [name, (await stat(join(folder, name))).size] as const);
    return new Map(await Promise.all(sizes));
  }
}

/** In pieces that fit no part. */
export async function writeAll(
  { sink }: ArchiveUpload,
  bytes: Buffer,
  piece = Math.max(37, Math.ceil(bytes.length / 1000)),
): Promise<void> {
  for (let at = 0; at < bytes.length; at += piece) await sink.write(bytes.subarray(at, at + piece));
}

/** Numbers of the parts that a target was sent, in order. */
export function partsSent({ calls }: { readonly calls: readonly string[] }): number[] {
  return calls
    .filter((call) => call.startsWith('putPart'))
    .map((call) => Number(call.split(' ')[1]))
    .toSorted((a, b) => a - b);
}
