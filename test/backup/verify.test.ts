import { randomBytes } from 'node:crypto';
import { appendFileSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateIdentity, identityToRecipient } from 'age-encryption';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readCatalogue } from '../../src/backup/catalogue/catalogue.ts';
import { createDecryption } from '../../src/backup/encrypt/create-decryption.ts';
import { createEncryption } from '../../src/backup/encrypt/create-encryption.ts';
import type { FileRecord } from '../../src/backup/list/file-record.ts';
import { parseMemberPath } from '../../src/backup/list/member-path.ts';
import type { ReadContext } from '../../src/backup/read/read-context.ts';
import type { JobState } from '../../src/backup/state/job-state.ts';
import { openJobState } from '../../src/backup/state/open-state.ts';
import { verifySource } from '../../src/backup/verify/verify-source.ts';
import { type Verification, type VerifyDepth, verify } from '../../src/backup/verify/verify.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { RecordingLog } from '../recording-log.ts';
import { makeBackup, type MadeBackup, type Member, sha256 } from './made-backup.ts';
import { MemoryTarget } from './memory-target.ts';

let folder: string;
let state: JobState;
let target: MemoryTarget;
const log = new RecordingLog();
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'isync-verify-'));
  state = await openJobState(join(folder, 'app'));
  target = new MemoryTarget();
});
afterEach(() => {
  state[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

const files = (count: number, bytes: number, prefix = 'f'): Member[] =>
  Array.from({ length: count }, (_, at) => ({ path: `${prefix}${at}`, content: randomBytes(bytes) }));

async function verified(
  depth: VerifyDepth,
  more: Partial<ReadContext> = {},
  names?: Set<string>,
  atMs = 1000,
): Promise<Verification> {
  return await verify({
    context: { target, decryption: undefined, log, ...more },
    catalogue: await readCatalogue(target, { log }),
    depth,
    names,
    records: state.targets,
    scratchFolder: folder,
    now: () => atMs,
  });
}

const faults = ({ backups }: Verification): (string | undefined)[] => backups.map(({ fault }) => fault);
const damage = ({ manifest }: MadeBackup, at: number): number =>
  (target.objects.get(manifest.name)!.bytes[at]! ^= 1);
const noted = (version: number) => state.targets.verification(target.name, version);

describe('verification', () => {
  it('of listings alone finds what is missing, and forgets it when it is back', async () => {
    const one = await makeBackup({ target, members: files(2, 100), compress: 'none' });
    const members = [...files(1, 100, 'g'), { path: 'f0', content: Buffer.from('x') }];
    const two = await makeBackup({ target, members, base: one, version: 2 });
    expect(faults(await verified({ kind: 'shallow' }))).toEqual([undefined, undefined]);
    expect(noted(2)).toEqual({ atMs: 1000, depth: 'shallow', fault: undefined, readTo: 0 });
    const archive = target.objects.get(one.manifest.name)!;
    target.objects.delete(one.manifest.name);
    expect(faults(await verified({ kind: 'shallow' }))).toEqual([
      undefined,
      `${one.manifest.name} is missing`,
    ]);
    target.objects.set(one.manifest.name, archive);
    expect(faults(await verified({ kind: 'shallow' }))).toEqual([undefined, undefined]);
    expect(two.manifest.needs).toHaveLength(1);
  });

  it('of all bytes finds one that differs, in every backup that needs it, which listings do not mend', async () => {
    const members = files(3, 1000);
    const one = await makeBackup({ target, members });
    const two = await makeBackup({
      target,
      members: [...members, ...files(1, 10, 'z')],
      base: one,
      version: 2,
    });
    const good = await verified({ kind: 'deep' });
    expect(faults(good)).toEqual([undefined, undefined]);
    const { archive, list } = one.manifest;
    expect(good.readBytes).toBe(
      archive.size + list.size + two.manifest.archive.size + two.manifest.list.size,
    );
    damage(one, 500);
    expect(faults(await verified({ kind: 'deep' }))).toEqual([
      expect.stringContaining('digest'),
      expect.stringContaining(one.manifest.name),
    ]);
    expect(faults(await verified({ kind: 'shallow' }))[0]).toContain('digest');
    damage(one, 500);
    expect(faults(await verified({ kind: 'deep' }, {}, new Set([one.manifest.name])))).toEqual([undefined]);
    expect(faults(await verified({ kind: 'shallow' }))).toEqual([undefined, undefined]);
  });

  it('of listings leaves it at the time that something was read', async () => {
    const one = await makeBackup({ target, members: files(1, 100) });
    await verified({ kind: 'deep' });
    await verified({ kind: 'shallow' }, {}, undefined, 2000);
    expect(noted(1)).toMatchObject({ atMs: 1000, depth: 'deep', fault: undefined });
    damage(one, 50);
    await verified({ kind: 'deep' }, {}, undefined, 3000);
    await verified({ kind: 'shallow' }, {}, undefined, 4000);
    expect(noted(1)).toMatchObject({ atMs: 3000, depth: 'deep', fault: expect.stringContaining('digest') });
  });

  it('finds a list that leads to where nothing is', async () => {
    const forge = (records: FileRecord[]): FileRecord[] =>
      records.map((record) =>
        record.type === 'file' ? { ...record, stored: { ...record.stored, to: 2 ** 40 } } : record,
      );
    await makeBackup({ target, members: files(1, 10), forge });
    expect(faults(await verified({ kind: 'deep' }))[0]).toContain('beyond the end');
    await makeBackup({
      target,
      members: files(1, 10),
      forge: (records) =>
        records.map((record) =>
          record.type === 'file' ? { ...record, stored: { ...record.stored, archive: 9 } } : record,
        ),
    });
    expect(faults(await verified({ kind: 'deep' }))[0]).toContain('archive 9');
  });

  it('is no finding where the store can not be reached', async () => {
    await makeBackup({ target, members: files(1, 10) });
    target.before = (call) => {
      if (call.startsWith('range') && call.endsWith('.files')) throw new IsyncError('STORE_REFUSED', 'no');
    };
    await expect(verified({ kind: 'deep' })).rejects.toMatchObject({ code: 'STORE_REFUSED' });
    expect(noted(1)?.fault).toBeUndefined();
  });

  it.each(['zstd', 'none'] as const)(
    'of samples reads all of %s in turn, the oldest first',
    async (compress) => {
      const one = await makeBackup({ target, members: files(20, 1_000_000), compress });
      await makeBackup({ target, members: files(2, 1000, 'g'), version: 2, compress });
      const ends: number[] = [];
      for (let round = 0; round < 20 && noted(2)?.depth !== 'sample'; round++) {
        const { readBytes, backups } = await verified({ kind: 'sample', bytes: 3_000_000 });
        expect(readBytes).toBeLessThan(8_000_000);
        expect(backups.filter(({ fault }) => fault !== undefined)).toEqual([]);
        ends.push(noted(1)!.readTo);
      }
      expect(ends.length).toBeGreaterThan(4);
      expect(ends).toEqual(ends.toSorted((a, b) => a - b));
      expect(ends.at(-1)).toBe(one.manifest.archive.size);
      // A new round, in which damage near the end is found when its turn comes, and stays known.
      damage(one, one.manifest.archive.size - 1_500_000);
      const found: boolean[] = [];
      for (let at = 0; at < 8; at++)
        found.push(faults(await verified({ kind: 'sample', bytes: 3_000_000 }))[1] !== undefined);
      expect(found[0]).toBe(false);
      expect(found.at(-1)).toBe(true);
      expect(found).toEqual(found.toSorted((a, b) => Number(a) - Number(b)));
    },
  );

  it('of samples without a key reads whole archives by their digest, and by files with it', async () => {
    const identity = await generateIdentity();
    const encryption = createEncryption([await identityToRecipient(identity)]);
    const made = await makeBackup({ target, members: files(5, 500_000), encryption, compress: 'none' });
    const other = createDecryption(await generateIdentity());
    const least = { kind: 'sample', bytes: 1 } as const;
    for (const decryption of [undefined, other]) {
      state.targets.setVerification(target.name, 1, {
        atMs: 0,
        depth: 'sample',
        fault: undefined,
        readTo: 0,
      });
      const { readBytes } = await verified(least, { decryption });
      expect(readBytes).toBe(made.manifest.archive.size + made.manifest.list.size);
    }
    const { readBytes } = await verified(least, { decryption: createDecryption(identity) });
    expect(readBytes).toBe(made.manifest.list.size + 500_000);
    damage(made, 1_000_000);
    expect(faults(await verified({ kind: 'deep' }))[0]).toContain('digest');
  });
});

describe('verification of the source', () => {
  it('compares what has not changed since, and nothing else', async () => {
    const record = (name: string): FileRecord => {
      const stats = statSync(join(folder, name), { bigint: true });
      return {
        type: 'file',
        path: parseMemberPath(name),
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtimeNs: stats.mtimeNs,
        size: Number(stats.size),
        sha256: sha256(Buffer.from(name === 'bad' ? 'other' : name)),
        stored: { archive: 1, from: 0, to: 1, skip: 0 },
        seen: { device: stats.dev, inode: stats.ino, ctimeNs: stats.ctimeNs },
      };
    };
    const names = ['bad', 'good', 'gone', 'grown', 'touched'];
    for (const name of names) writeFileSync(join(folder, name), name);
    const records = names.map(record);
    rmSync(join(folder, 'gone'));
    appendFileSync(join(folder, 'grown'), '.');
    utimesSync(join(folder, 'touched'), 1, 1);
    async function* told(): AsyncGenerator<FileRecord> {
      yield* records;
      // What a command printed is nowhere on the disk.
      const { seen: _, ...printed } = { ...(records[1] as Extract<FileRecord, { type: 'file' }>) };
      yield printed;
    }
    const { firstProblems, ...found } = await verifySource(told(), { root: folder });
    expect(found).toEqual({ files: 2, bytes: 7, changed: 3, problems: 1 });
    expect(firstProblems.map(({ path, error }) => [path, error.code])).toEqual([['bad', 'DIFFERENT']]);
  });
});
