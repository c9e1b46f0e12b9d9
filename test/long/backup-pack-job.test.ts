import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { describe, expect, it } from 'vitest';
import { createEncryption } from '../../src/backup/encrypt/create-encryption.ts';
import { pathBytes } from '../../src/backup/list/escaped-name.ts';
import { measureSources } from '../../src/backup/pack/sources.ts';
import { largestArchive } from '../../src/backup/upload/part-bytes.ts';
import {
  checkContents,
  folderSource,
  jobOf,
  LARGE,
  names,
  packed,
  PackStage,
  unzstd,
} from '../backup/packing.ts';

const stage = PackStage.use();

describe('a full backup', () => {
  it.each([
    ['zstd', 'zstd -dc'],
    ['gzip', 'gunzip -c'],
    ['none', 'cat'],
  ] as const)('with %s is what %s and tar restore', async (compress, program) => {
    stage.fill();
    const backup = await packed(stage.job({ compress }), 1);
    const there = join(stage.root, 'there');
    mkdirSync(there);
    writeFileSync(join(stage.root, 'archive'), backup.archive);
    execFileSync('sh', ['-c', `${program} "$1" | tar -xp -C "$2"`, '-', join(stage.root, 'archive'), there]);
    // GNU tar knows nothing of ISYNC.path: the escaped name is what it makes.
    const restored = join(there, stage.data);
    renameSync(
      join(restored, String.raw`latin\xe9`),
      Buffer.concat([Buffer.from(`${restored}/latin`), Buffer.from([0xe9])]),
    );
    utimesSync(restored, lstatSync(stage.data).atime, lstatSync(stage.data).mtime);
    // What rsync would do to make the one as the other is.
    const command = ['-anicH', '--delete', `${stage.data}/`, `${restored}/`];
    expect(execFileSync('rsync', command, { encoding: 'utf8' })).toBe('');
    await checkContents(backup.list, [backup], compress);
    expect(backup.size).toBe(backup.archive.length);
    expect(backup.sha256).toBe(createHash('sha256').update(backup.archive).digest('hex'));
    expect(statSync(backup.listFile).mode & 0o777).toBe(0o600);
    expect(readdirSync(stage.state)).toEqual(['1.files']);
  });

  it('counts what it has, and points to itself', async () => {
    stage.fill();
    execFileSync('mkfifo', [join(stage.data, 'pipe')]);
    const backup = await packed(stage.job(), 7);
    expect(backup.counts).toEqual({
      files: 7,
      directories: 4,
      symlinks: 1,
      bytes: LARGE + 70_000 + 5 + 3 + 5,
      storedFiles: 6,
      storedBytes: LARGE + 70_000 + 5 + 3 + 5,
      special: 1,
      own: 0,
      excluded: 0,
      torn: 0,
      problems: 0,
    });
    expect(backup.needs).toEqual(new Set([7]));
    expect(backup.records).toBe(12);
    expect(stage.file(backup, 'z-other-name')).toEqual({
      ...stage.file(backup, 'large'),
      path: stage.at('z-other-name'),
      linkTo: stage.at('large'),
    });
    const owners = execFileSync('stat', ['-c', '%U %G', stage.data], { encoding: 'utf8' });
    const [user, group] = owners.trim().split(' ');
    expect(stage.record(backup, 'a')).toMatchObject({ mtimeNs: 5_000_000_000n, user, group });
  });

  it('of the same files is the same, byte for byte', async () => {
    stage.fill();
    const [one, other] = [await packed(stage.job(), 1), await packed(stage.job(), 1)];
    expect(one.archive.equals(other.archive)).toBe(true);
    expect(one.list).toEqual(other.list);
  });

  it('is encrypted as age does, and its digest is of what is stored', async () => {
    stage.fill();
    const key = join(stage.root, 'key');
    const identity = await generateX25519Identity();
    writeFileSync(key, identity);
    const encryption = createEncryption([await identityToRecipient(identity)]);
    const sealer = encryption.sealer(await encryption.begin());
    const backup = await packed(stage.job(), 1, { sealer });
    expect(backup.sha256).toBe(createHash('sha256').update(backup.archive).digest('hex'));
    const opened = execFileSync('age', ['-d', '-i', key], { input: backup.archive, maxBuffer: 2 ** 30 });
    expect(names(unzstd(opened))).toHaveLength(12);
  });

  it('has its sources in the order of their paths, whatever the order of the job', async () => {
    for (const path of ['b c/1', 'b/2', 'a/3', 'one']) stage.put(path);
    const paths = ['b c', 'b', 'one', 'a'];
    const backup = await packed(
      jobOf(
        stage.state,
        paths.map((path) => folderSource(join(stage.data, path))),
      ),
      1,
    );
    expect(backup.list.map(({ path }) => path)).toEqual(
      ['a', 'a/3', 'b', 'b/2', 'b c', 'b c/1', 'one'].map((path) => stage.at(path)),
    );
  });

  it('takes a source whose own name looks escaped', async () => {
    for (const path of [String.raw`odd\x41/keep`, String.raw`odd\x41/sub/gone`]) stage.put(path);
    const source = folderSource(join(stage.data, String.raw`odd\x41`));
    const backup = await packed(jobOf(stage.state, [{ ...source, exclude: ['/sub/gone'] }]), 1);
    expect(backup.list.map(({ path }) => pathBytes(path).toString())).toEqual(
      ['', '/keep', '/sub'].map((path) => stage.at(String.raw`odd\x41${path}`)),
    );
    expect(backup.counts).toMatchObject({ excluded: 1 });
  });

  it('has what commands print, once', async () => {
    stage.put('x');
    const printed = join(stage.root, 'printed');
    const command = ['sh', '-c', `echo run >> ${printed}; head -c 3000000 /dev/urandom`];
    const sources = [
      folderSource(stage.data),
      { kind: 'command', command, as: 'dump.sql', allowEmpty: false },
    ] as const;
    const dumping = jobOf(stage.state, sources);
    const scratchFolder = join(stage.state, 'scratch', '1');
    const { bytes, members } = await measureSources({
      job: dumping,
      scratchFolder,
      log: { warn: () => undefined } as never,
      signal: new AbortController().signal,
    });
    expect({ bytes, members }).toEqual({ bytes: 3_000_001, members: 3 });
    const backup = await packed(dumping, 1);
    expect(readFileSync(printed, 'utf8')).toBe('run\n');
    const [output] = readdirSync(scratchFolder);
    expect(lstatSync(join(scratchFolder, output!)).mode & 0o777).toBe(0o600);
    expect(backup.list[0]).toMatchObject({ path: 'dump.sql', size: 3_000_000, mode: 0o600 });
    expect(backup.list[0]).not.toHaveProperty('seen');
    const content = execFileSync('tar', ['-xO', 'dump.sql'], {
      input: unzstd(backup.archive),
      maxBuffer: 2 ** 24,
    });
    expect(content.equals(readFileSync(join(scratchFolder, output!)))).toBe(true);
    // The same again, of a run that was killed.
    expect((await packed(dumping, 1)).sha256).toBe(backup.sha256);
  });

  it('leaves out its own stage.state and its targets', async () => {
    for (const path of ['keep', 'state/db', 'target/job/archive']) stage.put(path);
    const to = [{ kind: 'folder', path: join(stage.data, 'target') }] as const;
    const backup = await packed(jobOf(join(stage.data, 'state'), [folderSource(stage.data)], { to }), 1);
    expect(backup.list.map(({ path }) => path)).toEqual([stage.data.slice(1), stage.at('keep')]);
    expect(backup.counts).toMatchObject({ own: 2 });
  });

  it('fails without a source, and leaves no list', async () => {
    await expect(packed(stage.job(), 1)).rejects.toMatchObject({ code: 'SOURCE_FAILED' });
    stage.put('x');
    const sources = [folderSource(stage.data), folderSource(join(stage.root, 'none'))];
    await expect(packed(jobOf(stage.state, sources), 1)).rejects.toMatchObject({ code: 'SOURCE_FAILED' });
    expect(readdirSync(stage.state)).toEqual([]);
  });

  it('fails as what takes it does', async () => {
    stage.fill();
    const sink = { write: () => Promise.reject(new Error('no room')) };
    await expect(packed(stage.job(), 1, { sink })).rejects.toThrow('no room');
    expect(readdirSync(stage.state)).toEqual([]);
  });

  it('is never larger than what was measured before', async () => {
    stage.fill();
    const signal = new AbortController().signal;
    const measured = await measureSources({
      job: stage.job(),
      scratchFolder: stage.state,
      log: {} as never,
      signal,
    });
    const { size } = await packed(stage.job({ compress: 'none' }), 1);
    expect(size).toBeLessThanOrEqual(largestArchive(measured, 'none', false));
    expect(size).toBeGreaterThan(LARGE);
  });
});
