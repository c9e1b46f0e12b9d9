import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type JobState, MAX_RUNS, type PackRecord } from '../../src/backup/state/job-state.ts';
import { openJobState } from '../../src/backup/state/open-state.ts';

let folder: string;
let state: JobState;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'isync-state-'));
  state = await openJobState(join(folder, 'app'));
});
afterEach(async () => {
  state[Symbol.dispose]();
  await rm(folder, { recursive: true, force: true });
});

const RUN = { id: 'run-1', startedMs: 1_743_854_400_000, type: 'full', trigger: 'schedule' } as const;
const PACK: PackRecord = {
  run: 'run-1',
  version: 3,
  name: 'app_full_003.tar',
  type: 'incremental',
  base: 2,
  startedMs: 1_743_854_400_000,
  partBytes: 2 ** 33,
  secrets: { header: Buffer.from('head'), fileKey: Buffer.alloc(16, 1), nonce: Buffer.alloc(16, 2) },
  packed: undefined,
  isOverflowed: false,
  targets: ['s3://bucket/prefix', '/mnt/usb'],
};

/** Another process sees what this one has written. */
async function reopened(): Promise<JobState> {
  state[Symbol.dispose]();
  state = await openJobState(join(folder, 'app'));
  return state;
}

describe('the state of a job', () => {
  it('keeps its id, and takes over that of a store', async () => {
    const { jobId } = state;
    expect((await reopened()).jobId).toBe(jobId);
    state.adopt('other');
    expect((await reopened()).jobId).toBe('other');
  });

  it('gives no version twice, and none that a store has seen', async () => {
    expect(state.takeVersion(0)).toBe(1);
    expect(state.takeVersion(0)).toBe(2);
    expect(state.takeVersion(41)).toBe(42);
    using other = await openJobState(join(folder, 'app'));
    expect(other.takeVersion(7)).toBe(43);
    expect((await reopened()).takeVersion(0)).toBe(44);
  });

  it('keeps up to where a person has agreed with the size of backups, of each target', async () => {
    expect(state.targets.agreedVersion('/mnt/usb')).toBe(0);
    state.targets.agree('/mnt/usb', 7);
    state.targets.agree('/mnt/usb', 5);
    await reopened();
    expect(state.targets.agreedVersion('/mnt/usb')).toBe(7);
    expect(state.targets.agreedVersion('s3://bucket/prefix')).toBe(0);
  });

  it('tells its runs, the newest first', async () => {
    state.runs.begin(RUN);
    state.runs.begin({ ...RUN, id: 'run-2', startedMs: RUN.startedMs - 1 });
    const error = { code: 'SOURCE_FAILED', message: 'empty' };
    state.runs.update('run-1', { stage: 'failed', endedMs: 5, files: 7, backups: ['a', 'b'], error });
    state.runs.update('run-1', { bytes: 2 ** 45 });
    state.runs.update('unknown', { bytes: 1 });
    const [second, first, ...more] = (await reopened()).runs.list();
    expect(more).toEqual([]);
    expect(first).toEqual({
      ...RUN,
      endedMs: 5,
      stage: 'failed',
      files: 7,
      bytes: 2 ** 45,
      retries: 0,
      problems: 0,
      backups: ['a', 'b'],
      error,
    });
    expect(second).toMatchObject({ id: 'run-2', stage: 'before', endedMs: undefined, error: undefined });
    expect(state.runs.list(1)).toEqual([second]);
  });

  it('forgets the oldest runs', () => {
    for (let each = 0; each < MAX_RUNS + 2; each++) state.runs.begin({ ...RUN, id: `run-${each}` });
    const runs = state.runs.list();
    expect(runs).toHaveLength(MAX_RUNS);
    expect(runs.at(-1)!.id).toBe('run-2');
  });

  it('keeps what a run that was killed goes on with, and forgets it once it has ended', async () => {
    state.packs.begin(PACK);
    state.packs.begin({ ...PACK, version: 4, secrets: undefined, base: undefined });
    state.packs.overflowed(4);
    state.packs.packed(4, { size: 5, sha256: 'ff' });
    state.targets.beginUpload('/mnt/usb', { version: 3, key: PACK.name, id: 'upload' });
    const part = { number: 2, size: 9, md5: 'aa', status: 'pending', etag: undefined, changedMs: 1 } as const;
    state.targets.setPart('/mnt/usb', 3, part);
    state.targets.setPart('/mnt/usb', 3, { ...part, number: 1 });
    state.targets.setPart('/mnt/usb', 3, { ...part, status: 'done', etag: 'e' });
    await reopened();
    const [third, fourth] = state.packs.find();
    expect({
      ...third,
      secrets: Object.values(third!.secrets!).map((bytes) => Buffer.from(bytes)),
    }).toEqual({ ...PACK, secrets: Object.values(PACK.secrets!) });
    expect(fourth).toEqual({
      ...PACK,
      version: 4,
      secrets: undefined,
      base: undefined,
      packed: { size: 5, sha256: 'ff' },
      isOverflowed: true,
    });
    const upload = { version: 3, key: PACK.name, id: 'upload', outcome: 'pending' };
    expect(state.targets.upload('/mnt/usb', 3)).toEqual(upload);
    expect(state.targets.upload('s3://bucket/prefix', 3)).toBeUndefined();
    expect(state.targets.parts('/mnt/usb', 3)).toEqual([
      { ...part, number: 1 },
      { ...part, status: 'done', etag: 'e' },
    ]);
    state.targets.endUpload('/mnt/usb', 3, 'complete');
    expect(state.targets.upload('/mnt/usb', 3)).toEqual({ ...upload, outcome: 'complete' });
    // Parts of one upload are none of another.
    state.targets.beginUpload('/mnt/usb', { version: 3, key: PACK.name, id: 'again' });
    expect(state.targets.parts('/mnt/usb', 3)).toEqual([]);
    state.packs.end(3);
    expect(state.packs.find()).toEqual([fourth]);
    expect(state.targets.upload('/mnt/usb', 3)).toBeUndefined();
  });

  it('keeps the MD5 of a part whatever becomes of its uploads, until the archive has ended', async () => {
    state.packs.begin(PACK);
    const part = { number: 1, size: 9, md5: 'aa' };
    state.packs.addPart(3, part, ['t', 'u']);
    state.packs.addPart(3, { ...part, number: 2 }, ['t']);
    state.targets.setPart('t', 3, { ...part, status: 'done', etag: 'e', changedMs: 1 });
    // The same once more, and another one.
    state.packs.addPart(3, part, ['t', 'u']);
    const statuses = (target: string) =>
      state.targets.parts(target, 3).map(({ number, md5, status, etag }) => [number, md5, status, etag]);
    expect(statuses('t')).toEqual([
      [1, 'aa', 'done', 'e'],
      [2, 'aa', 'pending', undefined],
    ]);
    expect(statuses('u')).toEqual([[1, 'aa', 'pending', undefined]]);
    state.targets.setPart('u', 3, { ...part, status: 'failed', etag: undefined, changedMs: 1 });
    state.packs.addPart(3, part, ['t', 'u']);
    expect(statuses('u')).toEqual([[1, 'aa', 'pending', undefined]]);
    state.packs.addPart(3, { ...part, md5: 'bb' }, ['t']);
    expect(statuses('t')[0]).toEqual([1, 'bb', 'pending', undefined]);
    state.targets.beginUpload('t', { version: 3, key: PACK.name, id: 'again' });
    expect([...(await reopened()).packs.parts(3).values()]).toEqual([
      { ...part, md5: 'bb' },
      { ...part, number: 2 },
    ]);
    state.packs.end(3);
    expect(state.packs.parts(3).size).toBe(0);
    expect(statuses('u')).toEqual([]);
  });

  it('forgets what verifications found of backups that are gone', () => {
    const found = { atMs: 1, depth: 'deep', fault: undefined, readTo: 0 } as const;
    for (const version of [1, 2, 3]) state.targets.setVerification('t', version, found);
    state.targets.setVerification('u', 1, found);
    state.targets.keepVerifications('t', new Set([2]));
    expect([1, 2, 3].map((version) => state.targets.verification('t', version))).toEqual([
      undefined,
      found,
      undefined,
    ]);
    expect(state.targets.verification('u', 1)).toEqual(found);
  });

  it('has a manifest as long as it is the same object', async () => {
    const { targets } = state;
    for (const key of ['a', 'b']) targets.cache('t', key, 'e1', Buffer.from(key));
    targets.cache('t', 'a', 'e2', Buffer.from('newer'));
    expect(targets.cached('t', 'a', 'e1')).toBeUndefined();
    expect(Buffer.from(targets.cached('t', 'a', 'e2')!).toString()).toBe('newer');
    expect(targets.cached('other', 'a', 'e2')).toBeUndefined();
    targets.keepCached('t', new Set(['b']));
    expect(targets.cached('t', 'a', 'e2')).toBeUndefined();
    expect(targets.cached('t', 'b', 'e1')).toBeDefined();
  });

  it('has what the last verification found', () => {
    const found = { atMs: 1, depth: 'deep', fault: 'a byte differs', readTo: 2 ** 40 } as const;
    state.targets.setVerification('t', 1, { ...found, fault: undefined });
    state.targets.setVerification('t', 1, found);
    expect(state.targets.verification('t', 1)).toEqual(found);
    expect(state.targets.verification('t', 2)).toBeUndefined();
  });

  it('has nothing left of the key of an archive that has ended', async () => {
    const fileKey = randomBytes(16);
    const hasKey = async (): Promise<boolean> => {
      const names = await readdir(join(folder, 'app'));
      const files = await Promise.all(names.map((name) => readFile(join(folder, 'app', name))));
      return files.some((bytes) => bytes.includes(fileKey));
    };
    state.runs.begin(RUN);
    state.packs.begin({
      ...PACK,
      secrets: { header: Buffer.from('head'), nonce: Buffer.alloc(16, 2), fileKey },
    });
    expect(await hasKey()).toBe(true);
    state.packs.end(PACK.version);
    expect(await hasKey()).toBe(false);
  });

  it('is for its owner alone, for the secrets of archives are in it', async () => {
    state.packs.begin(PACK);
    for (const name of ['state.db', 'state.db-wal'])
      expect((await stat(join(folder, 'app', name))).mode & 0o077).toBe(0);
  });

  it('leaves alone what is no state of its own', async () => {
    await writeFile(join(folder, 'state.db'), 'a file of somebody else, which is no database at all');
    await expect(openJobState(folder)).rejects.toMatchObject({ code: 'STORE_FAILED', retryable: false });
    const { targets } = state;
    state[Symbol.dispose]();
    expect(() => targets.parts('t', 1)).toThrow(expect.objectContaining({ name: 'IsyncError' }));
  });
});
