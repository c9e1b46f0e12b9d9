import { describe, expect, it } from 'vitest';
import { IsyncError } from '../../src/model/isync-error.ts';
import { packOf } from './archive.ts';
import { MemoryTarget } from './memory-target.ts';
import { fourBackups, PruneStage } from './pruning.ts';

describe('litter', () => {
  const orphan = 'app_full_20250101T000000Z_002.tar.zst';

  async function withLitter(): Promise<PruneStage> {
    const stage = await PruneStage.start();
    await stage.make(3);
    const things = [orphan, `${orphan}.files`, `${orphan}.mark`, 'job.json', 'isync-check', 'notes.txt'];
    for (const key of things) {
      await stage.target.put(key, Buffer.from('x'));
      stage.age(key, 49);
    }
    return stage;
  }

  it('goes after 48 h, the archive last; what is called otherwise stays', async () => {
    const stage = await withLitter();
    // Its mark can't be read, so that nothing of that name is safe to go.
    const spared = await stage.prune({ last: 1 });
    expect(spared.litter).toEqual(
      [`${orphan}.files`, orphan].map((key) => ({
        kind: 'object',
        key,
        fate: 'kept',
        why: `it may be of what can't be read: ${orphan}.mark`,
      })),
    );
    stage.target.objects.delete(`${orphan}.mark`);
    const pruned = await stage.prune({ last: 1 });
    expect(pruned.calls).toEqual(['uploads', `remove ${orphan}.files`, `remove ${orphan}`]);
    const left = [...stage.target.objects.keys()].filter((key) => !key.startsWith(stage.nameOf(3)));
    expect(left).toEqual(['job.json', 'isync-check', 'notes.txt']);
  });

  it('stays for 48 h, by the clock of the store', async () => {
    const stage = await withLitter();
    stage.target.objects.delete(`${orphan}.mark`);
    stage.age(orphan, 48.1);
    stage.age(`${orphan}.files`, 47.9);
    stage.target.clockAheadMs = -600_000;
    const { litter } = await stage.prune({ last: 1 }, { isDryRun: true });
    expect(litter.map(({ key }) => key)).toEqual([`${orphan}.files`, orphan]);
    stage.target.clockAheadMs = 600_000;
    const { litter: later } = await stage.prune({ last: 1 }, { isDryRun: true });
    expect(later.map(({ fate, why }) => [fate, why])).toEqual([
      ['kept', 'no backup needs it, and it stays for 48 h, written 47 h ago'],
      ['kept', 'no backup needs it, and it stays for 48 h, written 47 h ago'],
    ]);
  });

  it('of another machine is what is older than its newest backup; uploads are left to it', async () => {
    const stage = await withLitter();
    stage.target.objects.delete(`${orphan}.mark`);
    const newer = 'app_full_20250101T000000Z_004.tar.zst';
    await stage.target.put(newer, Buffer.from('x'));
    stage.age(newer, 99);
    await stage.target.begin(newer);
    const now = (): number => Date.now() + 50 * 3_600_000;
    const { litter, calls } = await stage.prune({ last: 1 }, { isOwn: false, isDryRun: true, now });
    expect(litter.map(({ fate, key }) => `${fate} ${key}`)).toEqual([
      `kept ${newer}`,
      `due ${orphan}.files`,
      `due ${orphan}`,
    ]);
    expect(litter[0]?.why).toBe('another machine may go on with it');
    expect(calls).toEqual([]);
    const own = await stage.prune({ last: 1 }, { isDryRun: true, now });
    expect(own.litter.map(({ fate, kind, key }) => `${fate} ${kind} ${key}`)).toEqual([
      `due upload ${newer}`,
      `due object ${newer}`,
      `due object ${orphan}.files`,
      `due object ${orphan}`,
    ]);
    expect(own.litter[0]?.why).toBe('an upload that nobody goes on with, begun 50 h ago');
  });

  it('is no archive that a run goes on with, nor its upload', async () => {
    const stage = await withLitter();
    stage.target.objects.delete(`${orphan}.mark`);
    stage.state.packs.begin(packOf([stage.target], { version: 2, name: orphan }));
    const id = await stage.target.begin(orphan);
    const stale = await stage.target.begin(orphan);
    stage.state.targets.beginUpload('memory', { version: 2, key: orphan, id });
    const now = (): number => Date.now() + 50 * 3_600_000;
    const { litter } = await stage.prune({ last: 1 }, { now });
    expect(litter.map(({ kind, fate, why }) => `${kind} ${fate}: ${why}`)).toEqual([
      'upload kept: an upload of a run that is not over',
      'upload removed: an upload that nobody goes on with, begun 50 h ago',
      'object kept: a run that is not over needs it',
      // What stands beside it.
      'object kept: a run that is not over needs it',
    ]);
    const left: string[] = [];
    for await (const upload of stage.target.uploads()) left.push(upload.id);
    expect(left).toEqual([id]);
    expect(left).not.toContain(stale);
    expect(stage.target.objects.has(orphan)).toBe(true);
  });
});

it('that a store locks stays, and is told, in a dry run too', async () => {
  const stage = await PruneStage.start(new MemoryTarget({ lock: { mode: 'governance', days: 1 } }));
  await stage.make(3);
  const [locked, free] = ['app_full_20250101T000000Z_002.tar', 'app_full_20250101T000000Z_001.tar'];
  for (const key of [locked, free]) {
    await stage.target.put(key, Buffer.from('x'));
    stage.age(key, 49);
  }
  const untilMs = Date.parse('2999-04-05T12:00:00Z');
  stage.target.objects.get(locked)!.lockedUntilMs = untilMs;
  stage.target.objects.get(free)!.lockedUntilMs = undefined;
  const why = 'no backup needs it, written 49 h ago';
  const told = {
    kind: 'object',
    key: locked,
    fate: 'locked',
    why: `${why}; locked until 2999-04-05T12:00:00.000Z`,
  };
  const dry = await stage.prune({ last: 1 }, { isDryRun: true });
  expect(dry.litter).toEqual([told, { kind: 'object', key: free, fate: 'due', why }]);
  const { litter, calls } = await stage.prune({ last: 1 });
  expect(litter).toEqual([told, { kind: 'object', key: free, fate: 'removed', why }]);
  expect(calls.filter((call) => call.startsWith('remove'))).toEqual([`remove ${free}`]);
});

it('removes backups first, then uploads that nobody goes on with, then what no backup needs', async () => {
  const stage = await fourBackups();
  const orphan = 'app_full_20250101T000000Z_009.tar.zst';
  await stage.target.put(orphan, Buffer.from('x'));
  await stage.target.begin('app_full_20250101T000000Z_008.tar.zst');
  const now = (): number => Date.now() + 49 * 3_600_000;
  const { calls } = await stage.prune({ last: 3 }, { now });
  expect(calls).toEqual(['uploads', 'abort app_full_20250101T000000Z_008.tar.zst', `remove ${orphan}`]);
  await stage.target.put(orphan, Buffer.from('x'));
  await stage.target.begin('app_full_20250101T000000Z_008.tar.zst');
  const again = await stage.prune({ last: 1 }, { now });
  const steps = again.calls.map(
    (call) => call.split(/ |_20250405/)[0] + (call.endsWith(orphan) ? ' orphan' : ''),
  );
  expect(steps.filter((step) => step !== 'head')).toEqual([
    ...Array.from({ length: 9 }, () => 'remove'),
    'uploads',
    'abort',
    'remove orphan',
  ]);
});

it('tries again where uploads can not be listed in passing', async () => {
  const stage = await fourBackups();
  let failures = 2;
  stage.target.before = (call) => {
    if (call === 'uploads' && failures-- > 0) throw new IsyncError('BUSY', 'passing');
  };
  await stage.prune({ last: 1 });
  expect(stage.versions).toEqual([4]);
  expect(failures).toBe(-1);
});
