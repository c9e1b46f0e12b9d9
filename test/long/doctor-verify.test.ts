import { chmodSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { NOBODY, start } from './doctor-stage.ts';
import { at, type Case, type SetUp, tryEach, withDoctorStage } from './doctor-trial.ts';

const left = withDoctorStage();

function verify(root: string, to: string, ...more: readonly string[]): SetUp {
  return { command: 'verify', args: [root, '--to', to, '--device', 'edge1', ...more] };
}

const CASES: readonly Case[] = [
  {
    name: 'a root that is not there',
    given: () => verify(at.stage.path('no-root'), at.plain),
    code: 'ROOT_MISSING',
    says: /is not a folder/,
    cure: /Create it, mount it, or name another root/,
  },
  {
    name: 'a root that is a data directory',
    given: () => verify(join(at.stage.root(), 'D1'), at.stage.make('target')),
    code: 'CONFIG_INVALID',
    says: /looks like a data directory itself/,
    cure: /Give its parent: isync verify/,
  },
  {
    name: 'a target that is not there',
    given: () => verify(at.stage.root(), at.stage.path('no-target')),
    code: 'STORE_MISSING',
    says: /the target folder is not there/,
    cure: /Make it with: mkdir -p/,
  },
  {
    name: 'a file that may not be read',
    given: () => {
      const root = at.stage.root(NOBODY);
      chmodSync(join(root, 'D1/a'), 0o000);
      return { ...verify(root, at.stage.make('target')), uid: NOBODY };
    },
    code: 'FILE_UNREADABLE',
    says: /D1\/a can't be read/,
    cure: /read/,
    itself: { unnoticed: 'it says so of that file among the others, on stdout' },
  },
  {
    name: 'files of others, which --repair could not unmark',
    given: () => ({ ...verify(at.stage.root(), at.stage.make('target'), '--repair'), uid: NOBODY }),
    code: 'MARK_NOT_KEPT',
    says: /can't be marked/,
    cure: /Run isync as the owner of the files/,
    itself: {
      unnoticed: 'unless something differs there is nothing to repair; then it is a problem of that file',
    },
  },
];

tryEach('a verify', CASES, left);

it.skipIf(left)('isync doctor asks for no more than to read, of all files, and writes nothing', async () => {
  const [root, target] = [at.stage.root(), at.stage.make('target')];
  await using scan = start(['scan', root, '--to', target, '--device', 'edge1', '--once']);
  expect(await scan.ended).toMatchObject({ exitCode: 0 });
  const before = [readdirSync(root, { recursive: true }), readdirSync(target, { recursive: true })];
  const { args } = verify(root, target);
  // Neither is its own.
  await using doctor = start(['doctor', 'verify', ...args], { uid: NOBODY });
  const { exitCode, stdout } = await doctor.ended;
  expect(stdout).toContain('ok    files: 2 files can be read');
  expect(exitCode).toBe(0);
  expect([readdirSync(root, { recursive: true }), readdirSync(target, { recursive: true })]).toEqual(before);
});
