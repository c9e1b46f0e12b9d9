import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BackupStage } from '../e2e/backup-stage.ts';

let stage: BackupStage;
beforeEach(async () => {
  stage = await BackupStage.start();
  stage.configure();
  writeFileSync(stage.at('src/a'), 'a');
});
afterEach(() => stage[Symbol.dispose]());

interface Listed {
  readonly jobs: readonly {
    readonly job: string;
    readonly targets: readonly {
      readonly target: string;
      readonly error?: { readonly code: string };
      readonly backups?: readonly {
        readonly version: number;
        readonly state: string;
        readonly damage?: string;
      }[];
      readonly unreadable?: readonly { readonly key: string }[];
    }[];
  }[];
  readonly exitCode: number;
}

const versionsIn = (listed: Listed): number[][] =>
  listed.jobs[0]!.targets.map(({ backups = [] }) => backups.map(({ version }) => version));

describe('isync backup list', () => {
  it('tells the backups of each store, on a machine that has only the config', async () => {
    stage.configure({ to: [stage.at('one'), stage.at('two')] });
    const first = await stage.make({ type: 'full', tags: { env: 'production' } });
    await stage.make({ type: 'incremental' });
    await stage.make({ type: 'full', store: 'two' });
    const { stdout, exitCode } = await stage.run(['list']);
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`app at ${stage.at('one')}`);
    expect(stdout).toMatch(/NAME +TYPE +TIME +SIZE +FILES +STATE +NEEDS/);
    expect(stdout).toMatch(
      /app_incremental_\S+_002\.tar\.zst +incremental +2025-04-05T14:00:00Z .* 1 +ok +001\n/,
    );
    expect(versionsIn(await stage.asked(['list']))).toEqual([[2, 1], [3]]);
    expect(versionsIn(await stage.asked(['list', '--tag', 'env=production']))).toEqual([[1], []]);
    expect(versionsIn(await stage.asked(['list', '--target', stage.at('two')]))).toEqual([[3]]);
    expect(first.manifest.version).toBe(1);
    // Nothing was written for it.
    expect(existsSync(stage.at('state-backup.yaml'))).toBe(false);
  });

  it('tells what is damaged, marked or unreadable, and what can not be reached', async () => {
    stage.configure({ to: [stage.at('one'), stage.at('gone')] });
    const [one, two, three] = [
      await stage.make({ type: 'full' }),
      await stage.make({ type: 'full' }),
      await stage.make({ type: 'full' }),
    ];
    rmSync(stage.at('one/app', one.manifest.name));
    writeFileSync(stage.at('one/app', `${three.manifest.name}.manifest`), '{}');
    const marked = await stage.run([
      'mark',
      two.manifest.name,
      'the \u{1b}[31m last',
      '--target',
      stage.at('one'),
    ]);
    expect(marked.exitCode).toBe(0);
    const listed = await stage.asked<Listed>(['list']);
    expect(listed.exitCode).toBe(1);
    const [there, gone] = listed.jobs[0]!.targets;
    expect(there?.backups?.map(({ state }) => state)).toEqual(['marked (the \\x1b[31m last)', 'damaged']);
    expect(there?.backups?.[1]?.damage).toContain('is missing');
    expect(there?.unreadable?.map(({ key }) => key)).toEqual([`${three.manifest.name}.manifest`]);
    expect(gone?.error?.code).toBe('STORE_MISSING');
    const { stdout, exitCode } = await stage.run(['list']);
    expect(exitCode).toBe(1);
    for (const text of ['damaged: ', 'unreadable: ', "can't be read: ", 'marked (the \\x1b'])
      expect(stdout).toContain(text);
    expect(stdout).not.toContain('\u{1b}');
  });

  it('ends as the store does where none can be reached', async () => {
    stage.configure({ to: [stage.at('gone')] });
    expect((await stage.run(['list'])).exitCode).toBe(5);
    expect((await stage.asked<Listed>(['list'])).exitCode).toBe(5);
  });
});

describe('isync backup mark', () => {
  it('keeps a backup from prune, in each store, until it is taken away', async () => {
    stage.configure({ to: [stage.at('one'), stage.at('two')], keep: { last: 1 } });
    const made = await stage.make({ type: 'full' });
    await stage.make({ type: 'full', store: 'two', version: 1 });
    await stage.make({ type: 'full', version: 2 });
    await stage.make({ type: 'full', store: 'two', version: 2 });
    const { name } = made.manifest;
    expect((await stage.run(['mark', name, 'before the move'])).exitCode).toBe(0);
    expect((await stage.run(['prune'])).exitCode).toBe(0);
    expect(versionsIn(await stage.asked(['list']))).toEqual([
      [2, 1],
      [2, 1],
    ]);
    expect((await stage.run(['unmark', name])).exitCode).toBe(0);
    expect((await stage.run(['unmark', name])).stdout).toContain('not marked');
    const pruned = await stage.run(['prune', '--dry-run']);
    expect(pruned.stdout).toContain(`due      ${name}: no rule keeps it`);
    expect(versionsIn(await stage.asked(['list']))).toEqual([
      [2, 1],
      [2, 1],
    ]);
    expect((await stage.run(['prune'])).stdout).toContain(`removed  ${name}`);
    expect(versionsIn(await stage.asked(['list']))).toEqual([[2], [2]]);
    expect(readdirSync(stage.at('one/app'))).toHaveLength(3);
  });

  it('refuses what is no backup, and no reason', async () => {
    const { manifest } = await stage.make({ type: 'full' });
    expect((await stage.run(['mark', 'nothing', 'x'])).exitCode).toBe(2);
    expect((await stage.run(['mark', manifest.name, ''])).exitCode).not.toBe(0);
    expect((await stage.run(['mark', manifest.name])).exitCode).toBe(2);
    expect(readdirSync(stage.at('one/app'))).toHaveLength(3);
  });
});

describe('isync backup prune', () => {
  it('says BUSY while a run of the job goes on, and removes nothing', async () => {
    const { takeRunLock } = await import('../../src/backup/state/run-lock.ts');
    stage.configure({ keep: { last: 1 } });
    await stage.make({ type: 'full' });
    await stage.make({ type: 'full' });
    using _ = await takeRunLock(stage.at('state-backup.yaml'));
    const { exitCode, stderr } = await stage.run(['prune']);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining('BUSY')]);
    expect((await stage.run(['prune', '--dry-run'])).exitCode).toBe(0);
    expect(versionsIn(await stage.asked(['list']))).toEqual([[2, 1]]);
  });

  it('ends with 1 where something stands in the way, and tells what', async () => {
    stage.configure({ keep: { last: 1 } });
    const { manifest } = await stage.make({ type: 'full' });
    await stage.make({ type: 'full' });
    rmSync(stage.at('one/app', manifest.name));
    const { exitCode, stdout } = await stage.run(['prune']);
    expect(exitCode).toBe(1);
    expect(stdout).toContain('nothing is removed: a verification has failed');
    // A newer one that reads back lets it go.
    const verified = await stage.run(['verify', '--deep']);
    expect(verified.exitCode).toBe(1);
    expect((await stage.run(['prune'])).exitCode).toBe(0);
    expect(versionsIn(await stage.asked(['list']))).toEqual([[2]]);
  });

  it('waits after a backup of half the size until a person agrees', async () => {
    stage.configure({ keep: { last: 1 } });
    writeFileSync(stage.at('src/b'), 'b'.repeat(5000));
    expect((await stage.run(['run'])).exitCode).toBe(0);
    rmSync(stage.at('src/b'));
    expect((await stage.run(['run'])).stdout).toContain('until you agree (isync backup prune --agree)');
    const barred = await stage.run(['prune']);
    const told = expect.stringContaining('run "isync backup prune --agree" if that is right');
    expect([barred.exitCode, barred.stdout]).toEqual([1, told]);
    expect(versionsIn(await stage.asked(['list']))).toEqual([[2, 1]]);
    const status = await stage.run(['status']);
    const problem = expect.stringContaining(`nothing is pruned at ${stage.at('one')} until`);
    expect([status.exitCode, status.stdout]).toEqual([1, problem]);
    expect((await stage.run(['prune', '--agree'])).exitCode).toBe(0);
    expect(versionsIn(await stage.asked(['list']))).toEqual([[2]]);
    expect((await stage.run(['status'])).exitCode).toBe(0);
  });

  it('clears what killed runs have left on this machine', async () => {
    stage.configure({ keep: { last: 1 } });
    await stage.make({ type: 'full', version: 7 });
    const state = stage.at('state-backup.yaml');
    expect((await stage.run(['prune'])).exitCode).toBe(0);
    for (const [folder, name] of [
      ['spool', '3'],
      ['scratch', '3'],
      ['lists', '3.files'],
      ['lists', '7.files'],
    ]) {
      mkdirSync(`${state}/${folder}`, { recursive: true });
      writeFileSync(`${state}/${folder}/${name}`, 'x');
    }
    const before = ['spool', 'scratch', 'lists'].flatMap((folder) => readdirSync(`${state}/${folder}`));
    const dry = await stage.run(['prune', '--dry-run']);
    expect(dry.stdout).toContain(
      [
        `app in ${state}`,
        '  due      spool/3: no run needs it',
        '  due      scratch/3: no run needs it',
        '  due      lists/3.files: no backup will be compared with it',
        '  keep     lists/7.files: the next backup may be compared with it',
      ].join('\n'),
    );
    expect(['spool', 'scratch', 'lists'].flatMap((folder) => readdirSync(`${state}/${folder}`))).toEqual(
      before,
    );
    const pruned = await stage.asked<{ readonly jobs: readonly { readonly local: unknown }[] }>(['prune']);
    expect(pruned.jobs[0]?.local).toContainEqual({
      path: 'spool/3',
      fate: 'removed',
      why: 'no run needs it',
    });
    expect(['spool', 'scratch', 'lists'].flatMap((folder) => readdirSync(`${state}/${folder}`))).toEqual([
      '7.files',
    ]);
  });
});

describe('isync backup verify', () => {
  it('finds a flipped byte and a missing archive, and list tells it', async () => {
    const [one, two] = [await stage.make({ type: 'full' }), await stage.make({ type: 'full' })];
    expect((await stage.run(['verify', '--deep'])).exitCode).toBe(0);
    expect((await stage.run(['list'])).stdout).toMatch(/_002\.tar\.zst .* verified/);
    const path = stage.at('one/app', two.manifest.name);
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 4;
    writeFileSync(path, bytes);
    expect((await stage.run(['verify'])).exitCode).toBe(0);
    const { exitCode, stdout } = await stage.run(['verify', '--deep', two.manifest.name]);
    expect([exitCode, stdout]).toEqual([1, expect.stringContaining(`damaged  ${two.manifest.name}: `)]);
    rmSync(stage.at('one/app', one.manifest.name));
    const shallow = await stage.run(['verify', one.manifest.name]);
    expect([shallow.exitCode, shallow.stdout]).toEqual([1, expect.stringContaining('is missing')]);
    const listed = await stage.asked<Listed>(['list']);
    expect(listed.jobs[0]!.targets[0]!.backups?.map(({ state }) => state)).toEqual(['damaged', 'damaged']);
    expect((await stage.run(['verify', 'nothing'])).exitCode).toBe(2);
    expect((await stage.run(['verify', '--deep', '--sample', '1MiB'])).exitCode).toBe(2);
  });

  it('tells people of a fault, where the job says so', async () => {
    const { manifest } = await stage.make({ type: 'full' });
    const notify = [
      { type: 'command', command: ['/bin/sh', '-c', `cat >> ${stage.at('told')}`], on: ['failure'] },
    ];
    stage.configure({ notify });
    await stage.run(['verify', '--sample', '1MiB']);
    expect(existsSync(stage.at('told'))).toBe(false);
    appendFileSync(stage.at('one/app', manifest.name), 'x');
    await stage.run(['verify']);
    expect(readFileSync(stage.at('told'), 'utf8')).toContain(manifest.name);
  });
});
