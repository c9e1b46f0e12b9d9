import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { chainFault } from '../../src/backup/catalogue/chain-fault.ts';
import { setMark } from '../../src/backup/catalogue/marks.ts';
import { encodeJobObject } from '../../src/backup/manifest/manifest-codec.ts';
import { IsyncError } from '../../src/model/isync-error.ts';
import { MemoryTarget } from './memory-target.ts';
import { fatesOf, fourBackups, PruneStage } from './pruning.ts';

const refused = (): IsyncError => new IsyncError('STORE_REFUSED', 'no right', { retryable: true });

describe('a prune', () => {
  it('removes what the rule does not keep: the newest first, of each the manifest first and the archive last', async () => {
    const stage = await fourBackups();
    const { calls, backups, litter } = await stage.prune({ last: 2 }, { run: 'complete' });
    expect(stage.versions).toEqual([3, 4]);
    const of = (version: number): string[] => {
      const name = stage.nameOf(version);
      return [`head ${name}.mark`, `remove ${name}.manifest`, `remove ${name}.files`, `remove ${name}`];
    };
    expect(calls).toEqual([...of(2), ...of(1), 'uploads']);
    expect(stage.target.objects.size).toBe(6);
    expect(backups.map(({ version, fate, why }) => [version, fate, why])).toEqual([
      [4, 'kept', 'last'],
      [3, 'kept', 'last'],
      [2, 'removed', 'no rule keeps it'],
      [1, 'removed', 'no rule keeps it'],
    ]);
    expect(litter).toEqual([]);
    expect(stage.state.targets.removals('memory').size).toBe(0);
  });

  it('keeps an archive, with its manifest, that a kept backup needs', async () => {
    const stage = await fourBackups();
    await stage.make(5, 2);
    const pruned = await stage.prune({ last: 1 });
    expect(fatesOf(pruned)).toEqual(['5 kept', '4 removed', '3 removed', '2 kept', '1 kept']);
    expect(pruned.backups.at(-1)?.why).toBe('needed by version 5');
    const catalogue = await stage.catalogue();
    expect(catalogue.backups.map(({ manifest }) => chainFault(catalogue, manifest))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('removes nothing that others are named by, whatever a manifest says', async () => {
    const stage = await fourBackups();
    const other = stage.nameOf(4);
    await stage.target.put('job.json', Buffer.from('{}'));
    for (const [version, key] of [
      [5, 'job.json'],
      [6, `${other}.manifest`],
      [7, `${other}.files`],
    ] as const)
      await stage.make(version, undefined, {
        list: { ...stage.made.get(4)!.manifest.list, key, size: stage.target.objects.get(key)!.size },
      });
    // It is the newest ones that go.
    const forged = [5, 6, 7].map((version) => stage.nameOf(version));
    const catalogue = await stage.catalogue();
    const damaged = stage.state.targets;
    for (const version of [5, 6, 7])
      damaged.setVerification('memory', version, { atMs: 1, depth: 'deep', fault: 'forged', readTo: 0 });
    await stage.make(8);
    damaged.setVerification('memory', 8, { atMs: 2, depth: 'deep', fault: undefined, readTo: 0 });
    expect(catalogue.unreadable).toEqual([]);
    await stage.prune({ last: 9 });
    expect(stage.versions).toEqual([1, 2, 3, 4, 8]);
    for (const key of ['job.json', other, `${other}.files`]) expect(stage.target.objects.has(key)).toBe(true);
    for (const name of forged) expect(stage.target.objects.has(name)).toBe(false);
  });

  it('only says what it would do in a dry run', async () => {
    const stage = await fourBackups();
    stage.age(stage.nameOf(4), 0);
    await stage.target.put('app_full_20250101T000000Z_009.tar.zst', Buffer.from('x'));
    stage.age('app_full_20250101T000000Z_009.tar.zst', 49);
    const before = [...stage.target.objects.keys()];
    const pruned = await stage.prune({ last: 3 }, { isDryRun: true });
    expect(fatesOf(pruned)).toEqual(['4 kept', '3 kept', '2 kept', '1 kept']);
    expect(pruned.backups.at(-1)?.why).toBe('needed by version 2');
    expect(fatesOf(await stage.prune({ last: 1 }, { isDryRun: true })).slice(1)).toEqual([
      '3 due',
      '2 due',
      '1 due',
    ]);
    expect(pruned.litter).toEqual([
      {
        kind: 'object',
        key: 'app_full_20250101T000000Z_009.tar.zst',
        fate: 'due',
        why: 'no backup needs it, written 49 h ago',
      },
    ]);
    expect(pruned.calls).toEqual(['uploads']);
    expect([...stage.target.objects.keys()]).toEqual(before);
    expect(stage.state.targets.agreedVersion('memory')).toBe(0);
  });

  it('removes no backup of a job without a rule', async () => {
    const stage = await fourBackups();
    await stage.prune(undefined);
    expect(stage.versions).toEqual([1, 2, 3, 4]);
  });

  it('keeps what somebody has marked since the store was listed', async () => {
    const stage = await fourBackups();
    const catalogue = await stage.catalogue();
    const mark = { reason: 'mine', markedMs: 1, by: 'me' };
    await setMark(stage.target, { name: stage.nameOf(2), version: 2 }, mark, { log: stage.log });
    const pruned = await stage.prune({ last: 1 }, { catalogue });
    expect(fatesOf(pruned)).toEqual(['4 kept', '3 removed', '2 kept', '1 kept']);
    expect(pruned.backups.at(-1)?.why).toContain('needed by version 2');
  });

  it('tries again what fails in passing', async () => {
    const stage = await fourBackups();
    let failures = 2;
    stage.target.before = (call) => {
      if (call.startsWith('remove') && failures-- > 0) throw new IsyncError('UNREACHABLE', 'passing');
    };
    await stage.prune({ last: 1 });
    expect(stage.versions).toEqual([4]);
    expect(stage.log.lines.filter(({ level }) => level === 'warn')).toHaveLength(2);
  });

  it('forgets what verifications have found of what is gone', async () => {
    const stage = await fourBackups();
    const records = stage.state.targets;
    for (const version of [1, 2, 3, 4])
      records.setVerification('memory', version, { atMs: 1, depth: 'deep', fault: undefined, readTo: 9 });
    await stage.make(5, 2);
    await stage.prune({ last: 1 });
    expect([1, 2, 3, 4].map((version) => records.verification('memory', version)?.readTo)).toEqual([
      9,
      9,
      undefined,
      undefined,
    ]);
  });
});

describe('nothing is removed', () => {
  it.each([
    ['after a run that is not complete', { run: 'incomplete' }, (): void => undefined],
    [
      'while a verification fails',
      { run: 'complete' },
      (stage: PruneStage): void =>
        stage.state.targets.setVerification('memory', 3, {
          atMs: 1,
          depth: 'deep',
          fault: 'a bit',
          readTo: 0,
        }),
    ],
    [
      'while an archive is missing',
      {},
      (stage: PruneStage): void => void stage.target.objects.delete(stage.nameOf(3)),
    ],
    ['with a wrong clock', {}, (stage: PruneStage): void => void (stage.target.clockAheadMs = 1_000_000)],
    [
      'while a manifest is unreadable',
      {},
      (stage: PruneStage): Promise<void> => stage.target.put(`${stage.nameOf(3)}.manifest`, Buffer.from('{')),
    ],
  ] as const)('%s', async (_, more, spoil) => {
    const stage = await fourBackups();
    await spoil(stage);
    const orphan = 'app_full_20250101T000000Z_001.tar';
    await stage.target.put(orphan, Buffer.from('x'));
    stage.age(orphan, 100);
    const before = [...stage.target.objects.keys()];
    const pruned = await stage.prune({ last: 1 }, more);
    expect(pruned.bars).toHaveLength(1);
    expect([...stage.target.objects.keys()]).toEqual(before);
    expect(pruned.calls.filter((call) => /^(remove|abort)/.test(call))).toEqual([]);
    expect(fatesOf(pruned)).toContain('1 due');
    expect(stage.state.targets.agreedVersion('memory')).toBe(0);
  });

  it('after half the size, also of the runs that follow, and of none in between, until a person agrees', async () => {
    const stage = await fourBackups();
    await stage.make(5, undefined, { isShrunk: true });
    await stage.make(6);
    expect((await stage.prune({ last: 1 }, { run: 'complete' })).bars).toHaveLength(1);
    await stage.prune({ last: 1 }, { isDryRun: true });
    expect((await stage.prune({ last: 1 }, { run: 'complete' })).bars).toHaveLength(1);
    expect(stage.versions).toEqual([1, 2, 3, 4, 5, 6]);
    expect((await stage.prune({ last: 1 })).bars).toHaveLength(1);
    const agreed = { isAgreed: true };
    expect((await stage.prune({ last: 3 }, { ...agreed, isDryRun: true })).bars).toEqual([]);
    expect((await stage.prune({ last: 3 })).bars).toHaveLength(1);
    expect(stage.versions).toEqual([1, 2, 3, 4, 5, 6]);
    expect((await stage.prune({ last: 3 }, agreed)).bars).toEqual([]);
    expect(stage.versions).toEqual([4, 5, 6]);
    expect((await stage.prune({ last: 2 }, { run: 'complete' })).bars).toEqual([]);
    expect(stage.versions).toEqual([5, 6]);
    // That was about those; the next one is asked for again.
    await stage.make(7, undefined, { isShrunk: true });
    expect((await stage.prune({ last: 1 }, { run: 'complete' })).bars).toHaveLength(1);
  });

  it('after half the size in this store, whatever a person agrees with in another one', async () => {
    const stage = await fourBackups();
    await stage.make(5, undefined, { isShrunk: true });
    const other = await PruneStage.start(new MemoryTarget({ name: 'other' }));
    await other.make(6);
    expect((await other.prune({ last: 1 }, { state: stage.state, isAgreed: true })).bars).toEqual([]);
    expect((await stage.prune({ last: 1 }, { run: 'complete' })).bars).toHaveLength(1);
    expect(stage.versions).toEqual([1, 2, 3, 4, 5]);
  });
});

describe('a store that keeps things', () => {
  it('by a lock: the backup stays whole, with all that it needs, and is told', async () => {
    const stage = await fourBackups(new MemoryTarget({ lock: { mode: 'governance', days: 1 } }));
    await stage.make(5);
    // Manifests have locks too; here it is the archive alone, locked for longer.
    for (const object of stage.target.objects.values()) object.lockedUntilMs = undefined;
    stage.target.objects.get(stage.nameOf(2))!.lockedUntilMs = Date.now() + 1_000_000;
    const dry = await stage.prune({ last: 1 }, { isDryRun: true });
    expect(fatesOf(dry)).toEqual(['5 kept', '4 due', '3 due', '2 locked', '1 kept']);
    const pruned = await stage.prune({ last: 1 });
    expect(fatesOf(pruned)).toEqual(['5 kept', '4 removed', '3 removed', '2 locked', '1 kept']);
    expect(pruned.backups[3]?.why).toContain('locked until');
    expect(pruned.backups[4]?.why).toContain('needed by version 2');
    expect(stage.versions).toEqual([1, 2, 5]);
    const catalogue = await stage.catalogue();
    for (const { manifest } of catalogue.backups) expect(chainFault(catalogue, manifest)).toBeUndefined();
  });

  it('by a lock of days that have not passed: a run asks for none, a person for each', async () => {
    const stage = await PruneStage.start(new MemoryTarget({ lock: { mode: 'governance', days: 30 } }));
    const finishedMs = Date.now() - 29 * 86_400_000;
    for (const version of [1, 2, 3]) await stage.make(version, undefined, { finishedMs });
    const after = await stage.prune({ last: 1 }, { run: 'complete' });
    expect(fatesOf(after)).toEqual(['3 kept', '2 locked', '1 locked']);
    expect(after.calls).toEqual(['uploads']);
    // Somebody has lifted them.
    for (const object of stage.target.objects.values()) object.lockedUntilMs = undefined;
    expect(fatesOf(await stage.prune({ last: 1 }))).toEqual(['3 kept', '2 removed', '1 removed']);
  });

  it('by a rule of its own: the manifest tells', async () => {
    const stage = await fourBackups();
    for (const object of stage.target.objects.values()) object.lockedUntilMs = Date.now() + 1_000_000;
    const pruned = await stage.prune({ last: 1 });
    expect(fatesOf(pruned)).toEqual(['4 kept', '3 locked', '2 locked', '1 kept']);
    expect(stage.target.objects.size).toBe(12);
  });

  it('for want of a right: says so once, and tries nothing more', async () => {
    const stage = await fourBackups();
    stage.target.before = (call) => {
      if (call.startsWith('remove')) throw refused();
    };
    const pruned = await stage.prune({ last: 1 }, { run: 'complete' });
    expect(pruned.denied?.code).toBe('STORE_REFUSED');
    expect(fatesOf(pruned)).toEqual(['4 kept', '3 due', '2 due', '1 due']);
    expect(pruned.calls.filter((call) => call.startsWith('remove'))).toHaveLength(1);
    expect(stage.log.lines.filter(({ level }) => level === 'warn')).toHaveLength(1);
    expect(stage.target.objects.size).toBe(12);
    // With the right, all that is due goes.
    stage.target.before = () => undefined;
    await stage.prune({ last: 1 });
    expect(stage.target.objects.size).toBe(3);
  });
});

it('killed at any call it has done no harm, and the next prune finishes', async () => {
  const keep = { last: 2 };
  for (let at = 1; ; at++) {
    const stage = await fourBackups();
    await stage.make(5, 3);
    const { jobId } = stage.state;
    const job = { format: 1, job: 'app', jobId, machine: 'here', sinceMs: 1 } as const;
    await stage.target.put('job.json', encodeJobObject(job));
    const catalogue = await stage.catalogue();
    let calls = 0;
    stage.target.before = () => {
      if (++calls === at) throw new Error(`killed ${randomUUID()}`);
    };
    const outcome = await stage.prune(keep, { catalogue }).catch((error: Error) => error);
    stage.target.before = () => undefined;
    const then = await stage.catalogue();
    for (const { manifest } of then.backups)
      expect([at, chainFault(then, manifest)]).toEqual([at, undefined]);
    expect(stage.versions).toEqual(expect.arrayContaining([3, 4, 5]));
    await stage.prune(keep);
    expect([at, stage.versions]).toEqual([at, [3, 4, 5]]);
    expect([at, stage.target.objects.size]).toEqual([at, 10]);
    expect(stage.state.targets.removals('memory').size).toBe(0);
    if (!(outcome instanceof Error)) break;
    expect(at).toBeLessThan(40);
  }
});
