import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  createReadStream,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect } from 'vitest';
import type { BackupJob, BackupSource, Compression } from '../../src/backup/job.ts';
import type { FileRecord, RegularRecord } from '../../src/backup/list/file-record.ts';
import { readRecords } from '../../src/backup/list/read-records.ts';
import type { ByteRanges } from '../../src/backup/pack/byte-ranges.ts';
import { READ_WHOLE_BYTES } from '../../src/backup/pack/member-file.ts';
import { packJob } from '../../src/backup/pack/pack-job.ts';
import type { Packed, PackRequest } from '../../src/backup/pack/pack.ts';
import { readStored } from '../../src/backup/pack/read-stored.ts';
import type { FolderSource } from '../../src/backup/pack/walk-source.ts';
import { RecordingLog } from '../recording-log.ts';

/** What a folder source has where a test says nothing else. */
export function folderSource(path: string): FolderSource {
  return { kind: 'folder', path, exclude: [], oneFilesystem: false, allowEmpty: false };
}

export function jobOf(
  stateDir: string,
  sources: readonly BackupSource[],
  more: Partial<BackupJob> = {},
): BackupJob {
  return {
    name: 'job',
    sources,
    schedule: undefined,
    timezone: 'UTC',
    fullEveryMs: undefined,
    to: [],
    compress: 'zstd',
    recipients: [],
    identityFile: undefined,
    keep: undefined,
    tags: {},
    verify: undefined,
    notify: [],
    before: undefined,
    after: undefined,
    bwlimit: undefined,
    jitterMs: 0,
    maxAgeMs: undefined,
    stateDir,
    spoolBytes: 2 ** 30,
    nameTemplate: '{version}',
    ...more,
  };
}

export interface MadeBackup extends Packed {
  readonly archive: Buffer;
  readonly list: readonly FileRecord[];
  readonly listFile: string;
  readonly version: number;
  readonly log: RecordingLog;
}

/** An hour ahead: all that a test has written has settled by then. */
export const LATER = (): number => Date.now() + 3_600_000;

/** Packs a job into memory. */
export async function packed(
  job: BackupJob,
  version: number,
  more: Partial<PackRequest> & { readonly on?: MadeBackup | undefined } = {},
  now = LATER,
): Promise<MadeBackup> {
  mkdirSync(job.stateDir, { recursive: true });
  const { on, ...request } = more;
  const listFile = join(job.stateDir, `${version}.files`);
  const pieces: Uint8Array[] = [];
  const log = new RecordingLog();
  const result = await packJob(
    {
      job,
      version,
      base: on && { version: on.version, records: recordsOf(on.listFile) },
      before: on?.counts,
      isRehash: false,
      sealer: undefined,
      sink: { write: async (bytes) => void pieces.push(Buffer.from(bytes)) },
      listFile,
      scratchFolder: join(job.stateDir, 'scratch', String(version)),
      log,
      signal: new AbortController().signal,
      ...request,
    },
    now,
  );
  const list: FileRecord[] = [];
  for await (const record of recordsOf(listFile, result.records)) list.push(record);
  return { ...result, archive: Buffer.concat(pieces), list, listFile, version, log };
}

function recordsOf(path: string, records?: number): AsyncGenerator<FileRecord> {
  return readRecords(createReadStream(path), records);
}

/** Bytes of a file that isn't read whole. */
export const LARGE = READ_WHOLE_BYTES + 1_000_003;

/** Folders of a test: one that is packed, one for the state of its job. */
export class PackStage {
  root = '';
  data = '';
  state = '';

  static use(): PackStage {
    const stage = new PackStage();
    beforeEach(() => {
      stage.root = mkdtempSync(join(tmpdir(), 'isync-pack-'));
      stage.data = join(stage.root, 'data');
      stage.state = join(stage.root, 'state');
      mkdirSync(stage.data);
    });
    afterEach(() => rmSync(stage.root, { recursive: true }));
    return stage;
  }

  put(path: string, content: string | Buffer = path): string {
    const at = join(this.data, path);
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, content);
    return at;
  }

  /** A tree with one of each. */
  fill(): void {
    const { data } = this;
    this.put('a/small', 'hello');
    this.put('a/empty', '');
    this.put('large', randomBytes(LARGE));
    this.put('setuid', 'run');
    chmodSync(join(data, 'setuid'), 0o4755);
    this.put('ü/\u{1f600}', randomBytes(70_000));
    writeFileSync(Buffer.concat([Buffer.from(`${data}/latin`), Buffer.from([0xe9])]), 'bytes');
    mkdirSync(join(data, 'bare'), { mode: 0o1777 });
    symlinkSync('a/small', join(data, 'link'));
    linkSync(join(data, 'large'), join(data, 'z-other-name'));
    utimesSync(join(data, 'a/small'), 1000, -1000.25);
    utimesSync(join(data, 'a'), 5, 5);
  }

  job(more: Partial<BackupJob> = {}): BackupJob {
    return jobOf(this.state, [folderSource(this.data)], more);
  }

  /** The path in the archive of one below the data. */
  at(path: string): string {
    return `${this.data.slice(1)}/${path}`;
  }

  record(backup: MadeBackup, path: string): FileRecord | undefined {
    return backup.list.find((each) => each.path === this.at(path));
  }

  file(backup: MadeBackup, path: string): RegularRecord {
    const found = this.record(backup, path);
    if (found?.type !== 'file') throw new Error(`no file ${path}`);
    return found;
  }

  /** Of what zstd has compressed, the paths below the data. */
  membersOf({ archive }: MadeBackup): string[] {
    return names(unzstd(archive)).map((each) => each.slice(this.data.length - 1));
  }
}

export function unzstd(archive: Buffer): Buffer {
  return execFileSync('zstd', ['-dc'], { input: archive, maxBuffer: 2 ** 30 });
}

export function names(tar: Buffer): string[] {
  const text = execFileSync('tar', ['-t', '--quoting-style=literal'], {
    input: tar,
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  return text.split('\n').filter((line) => line !== '');
}

/** Reads each file of a list from the archive that it points to. */
export async function checkContents(
  list: readonly FileRecord[],
  archives: readonly MadeBackup[],
  compress: Compression,
): Promise<void> {
  const wrong: string[] = [];
  for (const each of list) {
    if (each.type !== 'file') continue;
    const from = archives.find(({ version }) => version === each.stored.archive);
    const hash = createHash('sha256');
    for await (const piece of readStored(ranges(from!.archive), compress, each.stored, each.size))
      hash.update(piece);
    if (hash.digest('hex') !== each.sha256) wrong.push(each.path);
  }
  expect(wrong).toEqual([]);
}

function ranges(bytes: Buffer): ByteRanges {
  return {
    size: bytes.length,
    async *read(start, end) {
      yield bytes.subarray(start, end);
    },
  };
}
