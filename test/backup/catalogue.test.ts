import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Catalogue, readCatalogue } from '../../src/backup/catalogue/catalogue.ts';
import { chainFault } from '../../src/backup/catalogue/chain-fault.ts';
import { findBackup } from '../../src/backup/catalogue/find-backup.ts';
import { removeMark, setMark } from '../../src/backup/catalogue/marks.ts';
import { isVerificationFailing, judgedOf, standingsOf } from '../../src/backup/catalogue/standing.ts';
import { encodeManifest, MAX_MANIFEST_BYTES } from '../../src/backup/manifest/manifest-codec.ts';
import type { JobState } from '../../src/backup/state/job-state.ts';
import { openJobState } from '../../src/backup/state/open-state.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { RecordingLog } from '../recording-log.ts';
import { type MadeBackup, makeBackup } from './made-backup.ts';
import { MemoryTarget } from './memory-target.ts';

let folder: string;
let state: JobState;
let target: MemoryTarget;
let made: MadeBackup[];
const options = { log: new RecordingLog() };
const MARK = { reason: 'audit', markedMs: Date.UTC(2025, 0, 1), by: 'me@here' };

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'isync-catalogue-'));
  state = await openJobState(join(folder, 'app'));
  target = new MemoryTarget();
  made = [];
  const a = { path: 'a', content: Buffer.from('a') };
  for (let version = 1; version <= 3; version++) {
    const members = [a, { path: 'b', content: Buffer.from(`b${version}`) }];
    // The third needs the second for it, and both the first.
    if (version > 1) members.push({ path: 'c', content: Buffer.from('c') });
    const base = made.at(-1);
    made.push(await makeBackup({ target, members, version, ...(base && { base }) }));
  }
});
afterEach(() => {
  state[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

const read = async (): Promise<Catalogue> =>
  await readCatalogue(target, { ...options, cache: state.targets });
const versions = ({ backups }: Catalogue): number[] => backups.map(({ manifest }) => manifest.version);

describe('a catalogue', () => {
  it('has what has a manifest, the newest first, and reads each manifest once', async () => {
    target.objects.delete(`${made[1]!.manifest.name}.manifest`);
    target.calls.length = 0;
    const catalogue = await read();
    expect(versions(catalogue)).toEqual([3, 1]);
    expect(catalogue.backups[0]!.manifest).toEqual(made[2]!.manifest);
    expect(catalogue.objects.size).toBe(8);
    expect(target.calls.filter((call) => call.startsWith('read'))).toHaveLength(2);
    target.calls.length = 0;
    expect(versions(await read())).toEqual([3, 1]);
    expect(target.calls).toEqual(['list']);
    await target.put(
      `${made[2]!.manifest.name}.manifest`,
      encodeManifest({ ...made[2]!.manifest, tags: { a: 'b' } }),
    );
    expect((await read()).backups[0]!.manifest.tags).toEqual({ a: 'b' });
    expect(target.calls.filter((call) => call.startsWith('read'))).toHaveLength(1);
  });

  it('tells what it can not read, and has the rest', async () => {
    const { manifest } = made[2]!;
    await target.put('copied.manifest', encodeManifest(manifest));
    await target.put('x.manifest', Buffer.from('{}'));
    await target.put('newer.manifest', Buffer.from('{"format":99}'));
    await target.put('huge.manifest', Buffer.alloc(MAX_MANIFEST_BYTES + 1, 0x20));
    const twin = {
      ...made[1]!.manifest,
      name: 'twin.tar',
      archive: { ...manifest.archive, key: 'twin.tar' },
    };
    const needs = twin.needs.map((each) => (each.version === 2 ? { ...each, key: 'twin.tar' } : each));
    await target.put('twin.tar.manifest', encodeManifest({ ...twin, needs }));
    const catalogue = await read();
    expect(versions(catalogue)).toEqual([3, 1]);
    expect(catalogue.unreadable.map(({ key, error }) => [key, error.code])).toEqual([
      [`${made[1]!.manifest.name}.manifest`, 'BACKUP_DAMAGED'],
      ['copied.manifest', 'BACKUP_DAMAGED'],
      ['huge.manifest', 'BACKUP_DAMAGED'],
      ['newer.manifest', 'VERSION_UNSUPPORTED'],
      ['twin.tar.manifest', 'BACKUP_DAMAGED'],
      ['x.manifest', 'BACKUP_DAMAGED'],
    ]);
    expect(target.calls).not.toContain('read huge.manifest');
  });

  it('is not there where the target can not be reached, and has no backup that goes meanwhile', async () => {
    target.before = (call) => {
      if (call === 'list') throw new IsyncError('STORE_REFUSED', 'no');
    };
    await expect(read()).rejects.toMatchObject({ code: 'STORE_REFUSED' });
    target.before = (call) => {
      if (call === `read ${made[0]!.manifest.name}.manifest`) target.objects.delete(call.slice(5));
    };
    expect(versions(await read())).toEqual([3, 2]);
  });

  it('knows marks, and takes one that can not be read for one', async () => {
    await setMark(target, made[0]!.manifest, MARK, options);
    await target.put(`${made[1]!.manifest.name}.mark`, Buffer.from('?'));
    const catalogue = await read();
    expect(catalogue.backups.map(({ mark }) => mark?.reason)).toEqual([
      undefined,
      "its mark can't be read",
      'audit',
    ]);
    expect(catalogue.unreadable).toHaveLength(1);
    expect(
      judgedOf(standingsOf(catalogue, target.name, state.targets)).map(({ isMarked }) => isMarked),
    ).toEqual([false, true, true]);
    expect(await removeMark(target, made[0]!.manifest.name, options)).toBe('removed');
    expect((await read()).backups[2]!.mark).toBeUndefined();
    expect(await removeMark(target, made[0]!.manifest.name, options)).toBe('absent');
    await expect(setMark(target, made[0]!.manifest, { ...MARK, reason: '' }, options)).rejects.toMatchObject({
      code: 'USAGE',
    });
  });
});

describe('a backup that is asked for', () => {
  it('is found by its name, by a time, or is the newest', async () => {
    const catalogue = await read();
    const found = (which: Parameters<typeof findBackup>[1]): number =>
      findBackup(catalogue, which).backup.manifest.version;
    expect(found({ kind: 'latest' })).toBe(3);
    expect(found({ kind: 'name', name: made[1]!.manifest.name })).toBe(2);
    expect(found({ kind: 'at', atMs: made[1]!.manifest.startedMs })).toBe(2);
    expect(found({ kind: 'at', atMs: made[1]!.manifest.startedMs - 1 })).toBe(1);
    for (const which of [
      { kind: 'at', atMs: 0 },
      { kind: 'name', name: 'x' },
    ] as const)
      expect(() => found(which)).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });

  it('is the newest whole one, and says which it passed over', async () => {
    target.objects.delete(made[2]!.manifest.list.key);
    const { backup, passedOver } = findBackup(await read(), { kind: 'latest' });
    expect(backup.manifest.version).toBe(2);
    expect(passedOver).toEqual([
      { name: made[2]!.manifest.name, version: 3, fault: `${made[2]!.manifest.list.key} is missing` },
    ]);
    target.objects.delete(made[0]!.manifest.archive.key);
    const catalogue = await read();
    expect(() => findBackup(catalogue, { kind: 'latest' })).toThrow(
      expect.objectContaining({ code: 'BACKUP_DAMAGED' }),
    );
    const named = findBackup(catalogue, { kind: 'name', name: made[2]!.manifest.name });
    expect(named.backup.manifest.version).toBe(3);
  });
});

describe('a chain', () => {
  it('is whole while each archive has its size, and the digest that its own manifest tells', async () => {
    const { manifest } = made[2]!;
    expect(chainFault(await read(), manifest)).toBeUndefined();
    const [first] = manifest.needs;
    const other = { ...first!, sha256: 'f'.repeat(64) };
    expect(chainFault(await read(), { ...manifest, needs: [other, ...manifest.needs.slice(1)] })).toContain(
      'another one',
    );
    expect(chainFault(await read(), { ...manifest, archive: { ...manifest.archive, size: 1 } })).toContain(
      'two things',
    );
    await target.put(first!.key, Buffer.from('short'));
    expect(chainFault(await read(), manifest)).toContain('5 bytes');
    const judged = judgedOf(standingsOf(await read(), target.name, state.targets));
    expect(judged.map(({ isDamaged }) => isDamaged)).toEqual([true, true, true]);
  });

  it('is damaged where one of its archives is, until a newer backup passes', async () => {
    const note = (version: number, atMs: number, fault?: string, depth: 'deep' | 'shallow' = 'deep'): void =>
      state.targets.setVerification(target.name, version, { atMs, depth, fault, readTo: 0 });
    const standings = async () => standingsOf(await read(), target.name, state.targets);
    expect(isVerificationFailing(await standings())).toBe(false);
    note(3, 100);
    note(2, 200, 'rotten');
    expect((await standings()).map(({ fault }) => fault)).toEqual(['rotten', 'rotten', undefined]);
    expect(isVerificationFailing(await standings())).toBe(true);
    const full = await makeBackup({ target, members: [{ path: 'a' }], version: 4 });
    expect(isVerificationFailing(await standings())).toBe(true);
    note(4, 150);
    expect(isVerificationFailing(await standings())).toBe(true);
    // A listing does not answer what reading has found.
    note(4, 250, undefined, 'shallow');
    expect(isVerificationFailing(await standings())).toBe(true);
    note(4, 250);
    expect(isVerificationFailing(await standings())).toBe(false);
    note(2, 200, 'gone', 'shallow');
    note(4, 250, undefined, 'shallow');
    expect(isVerificationFailing(await standings())).toBe(false);
    expect(full.manifest.needs).toHaveLength(1);
  });
});
