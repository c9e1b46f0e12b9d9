import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { createDecryption } from '../../src/backup/encrypt/create-decryption.ts';
import { dryRun } from '../../src/backup/run/dry-run.ts';
import { openJobState } from '../../src/backup/state/open-state.ts';
import { takeRunLock } from '../../src/backup/state/run-lock.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { MemoryTarget } from '../backup/memory-target.ts';
import { folderSource } from '../backup/packing.ts';
import { contextOf, differences, newFolder, restored } from '../backup/restoring.ts';
import { manifestsOf, RunStage } from '../backup/run-stage.ts';

const DAY_MS = 86_400_000;
const refused = (): never => {
  throw new IsyncError('STORE_REFUSED', 'no');
};
const code = (error: unknown): string | undefined => (error instanceof IsyncError ? error.code : undefined);

describe('a run', () => {
  it('makes a full backup, then what has changed, then a full one when it is time; each restores', async () => {
    const stage = new RunStage();
    const target = new MemoryTarget();
    const full = await stage.ran(target);
    expect(full).toMatchObject({ type: 'full', version: 1, counts: { files: 2, storedFiles: 2 } });
    await stage.check(target, full);
    stage.put('a/new', 'new');
    const next = await stage.ran(target);
    expect(next).toMatchObject({
      type: 'incremental',
      version: 2,
      base: 1,
      counts: { files: 3, storedFiles: 1 },
    });
    expect(next.needs.map(({ version }) => version)).toEqual([1, 2]);
    await stage.check(target, next);
    const last = await stage.ran(target, { now: () => Date.now() + 7 * DAY_MS });
    expect(last).toMatchObject({ type: 'full', version: 3 });
    await stage.check(target, last);
    expect(stage.told.map(({ stage: at }) => at)).toEqual([
      'before',
      'done',
      'before',
      'done',
      'before',
      'done',
    ]);
  });

  it('puts the manifest last, and asks little', async () => {
    const stage = new RunStage();
    const target = new MemoryTarget();
    await stage.ran(target);
    target.calls.length = 0;
    await stage.ran(target);
    const put = target.calls.findIndex((call) => call.startsWith('put ') && call.endsWith('.manifest'));
    const before = target.calls.slice(0, put);
    expect(before.some((call) => call.startsWith('complete'))).toBe(true);
    expect(before.some((call) => call.startsWith('put ') && call.endsWith('.files'))).toBe(true);
    const parts = target.calls.filter((call) => call.startsWith('putPart')).length;
    const pages = target.calls.filter((call) => call === 'list').length;
    expect(target.calls.length).toBeLessThanOrEqual(parts + 12 + pages);
  });

  it('leaves no trace of the archive on this machine but its list', async () => {
    const stage = new RunStage();
    await stage.ran(new MemoryTarget());
    const names = ['lists', 'scratch', 'spool'].map((name) => {
      const path = join(stage.job().stateDir, name);
      return existsSync(path) ? readdirSync(path) : [];
    });
    expect(names).toEqual([['1.files'], [], []]);
  });

  it('is refused while another one goes on, or waits for it', async () => {
    const stage = new RunStage();
    const target = new MemoryTarget();
    const lock = await takeRunLock(stage.job().stateDir);
    await expect(stage.run([target])).rejects.toMatchObject({ code: 'BUSY' });
    const waiting = stage.run([target], { isWaiting: true });
    lock[Symbol.dispose]();
    expect((await waiting).run.stage).toBe('done');
  });

  it('makes the others complete where one target fails, which gets its own full one later', async () => {
    const stage = new RunStage();
    const [one, other] = [new MemoryTarget({ name: 'one' }), new MemoryTarget({ name: 'other' })];
    other.before = refused;
    const result = await stage.run([one, other]);
    expect(result.run).toMatchObject({ stage: 'failed', error: { code: 'STORE_REFUSED' } });
    expect(result.error).toBeUndefined();
    expect(result.backups.map(({ targets }) => targets)).toEqual([['one']]);
    expect(result.failures.map(({ target }) => target)).toEqual(['other']);
    other.before = () => undefined;
    const next = await stage.run([one, other]);
    expect(next.run.stage).toBe('done');
    expect(next.backups.map(({ manifest: { type, version }, targets }) => [type, version, targets])).toEqual([
      ['incremental', 2, ['one']],
      ['full', 3, ['other']],
    ]);
    await stage.check(one, next.backups[0]!.manifest);
    await stage.check(other, next.backups[1]!.manifest);
    // From then on both have the newest.
    const third = await stage.run([one, other]);
    expect(third.backups.map(({ manifest: { type, base }, targets }) => [type, base, targets])).toEqual([
      ['incremental', 3, ['other']],
      ['full', undefined, ['one']],
    ]);
  });

  it('goes on with a target that failed in the middle, and makes a new backup for all', async () => {
    const stage = new RunStage();
    const [one, other] = [new MemoryTarget({ name: 'one' }), new MemoryTarget({ name: 'other' })];
    other.before = (call) => {
      if (call.startsWith('putPart')) refused();
    };
    expect((await stage.run([one, other])).failures.map(({ target }) => target)).toEqual(['other']);
    other.before = () => undefined;
    stage.put('later', 'later');
    const next = await stage.run([one, other]);
    expect(next.backups.map(({ manifest: { version, type }, targets }) => [version, type, targets])).toEqual([
      [1, 'full', ['other']],
      [2, 'incremental', ['one', 'other']],
    ]);
    expect(one.calls.filter((call) => call.startsWith('putPart')).length).toBe(2);
    await stage.check(other, next.backups[1]!.manifest);
  });

  it.each(['before', 'sources'])('fails where %s fails, begins nothing, and runs "after"', async (what) => {
    const stage = new RunStage();
    const target = new MemoryTarget();
    const trace = join(stage.root, 'after');
    const after = ['sh', '-c', `echo "$BACKUP_JOB $BACKUP_OUTCOME" > ${trace}`];
    if (what === 'sources') rmSync(stage.data, { recursive: true });
    const before = what === 'before' ? { before: ['false'] } : {};
    const result = await stage.run([target], { job: stage.job({ after, ...before }) });
    expect(code(result.error)).toBe('SOURCE_FAILED');
    expect(result.run).toMatchObject({ stage: 'failed', error: { code: 'SOURCE_FAILED' } });
    expect(readFileSync(trace, 'utf8')).toBe('app failed\n');
    expect([...target.objects.keys()]).toEqual(['job.json']);
    expect(target.calls.filter((call) => call.startsWith('begin'))).toEqual([]);
    using state = await openJobState(stage.job().stateDir);
    expect(state.packs.find()).toEqual([]);
  });

  it('packs what commands print, and fails with one of them', async () => {
    const stage = new RunStage();
    const target = new MemoryTarget();
    const command = (words: string[]) =>
      ({ kind: 'command', command: words, as: 'dump.sql', allowEmpty: false }) as const;
    const sources = [folderSource(stage.data), command(['printf', 'select 1'])];
    const manifest = await stage.ran(target, { job: stage.job({ sources }) });
    const to = join(newFolder(), 'to');
    await restored(target, { manifest, records: [] }, to);
    expect(readFileSync(join(to, 'dump.sql'), 'utf8')).toBe('select 1');
    const failing = stage.job({
      sources: [folderSource(stage.data), command(['sh', '-c', 'echo half; exit 3'])],
    });
    const result = await stage.run([target], { job: failing });
    expect(code(result.error)).toBe('SOURCE_FAILED');
    expect(manifestsOf(target)).toHaveLength(1);
  });

  it('encrypts archive and list; without the private key the next one is incremental all the same', async () => {
    const stage = new RunStage();
    const target = new MemoryTarget();
    const identity = await generateX25519Identity();
    const job = stage.job({ recipients: [await identityToRecipient(identity)] });
    await stage.ran(target, { job });
    stage.put('more', 'more');
    const next = await stage.ran(target, { job });
    expect(next).toMatchObject({ type: 'incremental', isEncrypted: true });
    const to = join(newFolder(), 'to');
    const context = contextOf(target, { decryption: createDecryption(identity) });
    await restored(target, { manifest: next, records: [] }, to, { context });
    expect(differences(stage.data, join(to, stage.data))).toBe('');
  });

  it('locks all that a new backup needs for as long as the lock says', async () => {
    const stage = new RunStage();
    const target = new MemoryTarget({ lock: { mode: 'governance', days: 30 } });
    const full = await stage.ran(target);
    const aWeekAhead = (): number => Date.now() + 6 * DAY_MS;
    const next = await stage.ran(target, { now: aWeekAhead });
    expect(next.type).toBe('incremental');
    for (const key of [full.name, next.name])
      expect(target.objects.get(key)!.lockedUntilMs).toBeGreaterThan(aWeekAhead() + 29 * DAY_MS);
    // It was locked for the whole chain from the start.
    const locks = (): string[] => target.calls.filter((call) => call.startsWith('lock '));
    expect(locks()).toEqual([full.name, next.name].map((key) => `lock ${key}`));
  });

  it('locks for longer what a chain needs that goes on beyond its time', async () => {
    const stage = new RunStage();
    const target = new MemoryTarget({ lock: { mode: 'governance', days: 30 } });
    const full = await stage.ran(target);
    const later = (): number => Date.now() + 20 * DAY_MS;
    const next = await stage.ran(target, { now: later, type: 'incremental' });
    expect(next.type).toBe('incremental');
    expect(target.objects.get(full.name)!.lockedUntilMs).toBeGreaterThan(later() + 29 * DAY_MS);
  });

  it('leaves the job of another machine alone, unless it adopts it; then the other one is refused', async () => {
    const [one, other] = [new RunStage(), new RunStage()];
    const target = new MemoryTarget();
    await one.ran(target);
    const result = await other.run([target]);
    expect(code(result.error)).toBe('FENCED');
    expect(manifestsOf(target)).toHaveLength(1);
    expect(await other.ran(target, { isAdopting: true })).toMatchObject({ version: 2, type: 'full' });
    expect(await other.ran(target)).toMatchObject({ version: 3, type: 'incremental' });
    expect(code((await one.run([target])).error)).toBe('FENCED');
  });

  it('goes on with a job whose object is damaged only where it is told to', async () => {
    const stage = new RunStage();
    const target = new MemoryTarget();
    await stage.ran(target);
    await target.put('job.json', Buffer.from('{'));
    expect(code((await stage.run([target])).error)).toBe('BACKUP_DAMAGED');
    expect(await stage.ran(target, { isAdopting: true })).toMatchObject({ version: 2, type: 'full' });
    expect(await stage.ran(target)).toMatchObject({ version: 3, type: 'incremental' });
  });

  it('makes a full one where the newest is damaged, the list is gone, or somebody asks', async () => {
    const stage = new RunStage();
    const target = new MemoryTarget();
    const { name } = await stage.ran(target);
    target.objects.delete(`${name}.files`);
    expect(await stage.ran(target)).toMatchObject({ version: 2, type: 'full' });
    rmSync(join(stage.job().stateDir, 'lists'), { recursive: true });
    expect(await stage.ran(target)).toMatchObject({ version: 3, type: 'full' });
    expect(await stage.ran(target, { type: 'full' })).toMatchObject({ version: 4, type: 'full' });
    expect(await stage.ran(target)).toMatchObject({ version: 5, type: 'incremental' });
  });

  it('prunes what the rule does not keep, and never a version twice', async () => {
    const stage = new RunStage();
    const target = new MemoryTarget();
    const job = stage.job({ keep: { last: 1, min: 1 }, fullEveryMs: undefined });
    for (const version of [1, 2, 3]) expect(await stage.ran(target, { job })).toMatchObject({ version });
    expect(manifestsOf(target).map(({ version }) => version)).toEqual([3]);
    expect(target.objects.size).toBe(4);
  });

  it('prunes the store where the backup is complete, and not the one that has failed', async () => {
    const stage = new RunStage();
    const [good, bad] = [new MemoryTarget({ name: 'good' }), new MemoryTarget({ name: 'bad' })];
    const job = stage.job({ keep: { last: 1, min: 1 }, fullEveryMs: undefined });
    await stage.run([good, bad], { job });
    bad.before = (call) => {
      if (call.startsWith('put ') && call.endsWith('.manifest')) refused();
    };
    const result = await stage.run([good, bad], { job });
    expect(result.failures.map(({ target }) => target)).toEqual(['bad']);
    expect(result.pruned.map(({ target }) => target)).toEqual(['good']);
    expect(manifestsOf(good).map(({ version }) => version)).toEqual([2]);
    expect(manifestsOf(bad).map(({ version }) => version)).toEqual([1]);
    expect(bad.calls.filter((call) => call.startsWith('remove'))).toEqual([]);
  });

  it('goes on with an interrupted run, as the same run', async () => {
    const stage = new RunStage();
    const target = new MemoryTarget();
    stage.put('large', Buffer.alloc(20_000_000, 'abc'));
    const job = stage.job({ compress: 'none' });
    const stop = new AbortController();
    target.before = (call) => {
      if (call.startsWith('putPart 3')) stop.abort(new IsyncError('INTERRUPTED', 'stop'));
    };
    const first = await stage.run([target], { job, signal: stop.signal });
    expect(first.run.stage).toBe('interrupted');
    expect(manifestsOf(target)).toEqual([]);
    target.before = () => undefined;
    const sent = target.calls.length;
    const next = await stage.run([target], { job });
    expect(next.run).toMatchObject({ id: first.run.id, stage: 'done' });
    expect(next.backups.map(({ manifest: { version } }) => version)).toEqual([1]);
    const again = target.calls.slice(sent).filter((call) => call.startsWith('putPart'));
    expect(again.length).toBeLessThan(3);
    await stage.check(target, next.backups[0]!.manifest);
  });

  it('drops what was begun more than a day ago', async () => {
    const stage = new RunStage();
    const target = new MemoryTarget();
    target.before = (call) => {
      if (call.startsWith('complete')) refused();
    };
    await stage.run([target]);
    target.before = () => undefined;
    const next = await stage.run([target], { now: () => Date.now() + 25 * 3_600_000 });
    expect(next.backups.map(({ manifest: { version } }) => version)).toEqual([2]);
    expect(target.calls.filter((call) => call.startsWith('abort'))).toHaveLength(1);
  });
});

describe('a dry run', () => {
  it('says what would be made and pruned, and writes nothing', async () => {
    const stage = new RunStage();
    const target = new MemoryTarget();
    const job = stage.job({ keep: { last: 1, min: 1 } });
    const request = stage.request([target], { job });
    const first = await dryRun(request);
    expect(first.planned).toMatchObject([{ type: 'full', files: 2, storedFiles: 2, storedBytes: 5005 }]);
    expect([...target.objects.keys()]).toEqual([]);
    await stage.ran(target, { job });
    const before = [...target.objects.keys()];
    stage.put('c', 'new');
    const next = await dryRun({ ...request, type: 'full' });
    expect(next.planned).toMatchObject([{ type: 'full', reason: 'asked for' }]);
    expect(next.pruned[0]!.backups).toMatchObject([{ version: 1, fate: 'due' }]);
    const incremental = await dryRun(request);
    expect(incremental.planned).toMatchObject([{ type: 'incremental', files: 3 }]);
    expect(incremental.pruned[0]!.backups).toMatchObject([{ version: 1, fate: 'kept' }]);
    expect([...target.objects.keys()]).toEqual(before);
  });
});
