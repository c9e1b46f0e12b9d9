import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it, onTestFinished } from 'vitest';
import { lacks } from '../../harness/tools.ts';
import { BackupStage } from '../e2e/backup-stage.ts';

it.skipIf(lacks('rsync'))('backups are listed, restored, verified, marked and pruned', async () => {
  const stage = await BackupStage.start();
  onTestFinished(() => stage[Symbol.dispose]());
  stage.configure({ keep: { last: 1 } });
  writeFileSync(stage.at('src/a'), 'first');
  const { manifest: first } = await stage.make({ type: 'full' });
  writeFileSync(stage.at('src/b'), 'second');
  const { manifest: second } = await stage.make({ type: 'incremental' });

  const to = stage.at('back');
  const restored = await stage.run(['restore', 'latest', '--to', to]);
  expect([restored.exitCode, restored.stderr]).toEqual([0, '']);
  expect(stage.differences(to)).toBe('');
  const { manifest: third } = await stage.make({ type: 'full' });
  expect((await stage.run(['mark', second.name, 'of the move'])).exitCode).toBe(0);

  const { stdout } = await stage.run(['prune']);
  expect(stdout).toContain(`keep     ${first.name}: needed by version 2`);
  expect(stdout).toContain(`keep     ${second.name}: marked`);
  const archive = stage.at('one/app', third.name);
  const bytes = readFileSync(archive);
  bytes[20]! ^= 1;
  writeFileSync(archive, bytes);
  expect((await stage.run(['verify', '--deep'])).exitCode).toBe(1);
  const listed = await stage.run(['list']);
  expect(listed.exitCode).toBe(1);
  expect(listed.stdout).toMatch(/_003\.tar\.zst .* damaged/);
  expect(listed.stdout).toMatch(/_002\.tar\.zst .* marked \(of the move\), verified +001\n/);
});
