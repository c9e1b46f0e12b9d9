import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { addToken, runCli, startCli, startReceiver } from '../../harness/cli.ts';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { until } from '../../harness/process.ts';
import { startStage } from '../../harness/stage.ts';

/** Directories retired while the receiver is killed, and the files of each: enough that a kill hits one under way. */
const DIRECTORIES = 12;
const FILES_EACH = 400;
/** Kills; `npm run test:expire` has hundreds for the device's side. */
const KILLS = Number(process.env['ISYNC_TEST_KILLS'] ?? 6);

const RETAIN = ['--retain', '1s', '--retain-last', '1'];

test('a buffer: sealed directories go, and the device is told', async () => {
  await using stage = await startStage({ args: RETAIN });
  const edge = await stage.edge('edge1');
  const to = ['--to', stage.receiver.url, '--device', 'edge1'];
  await edge.write({ 'DC1/a': 10, 'DC1/sub/b': 200_000, 'DC1/finished.parse': '' });
  await edge.scan();
  await edge.write({ 'DC2/a': 5, 'DC2/finished.parse': '', 'DC3/open': 5 });
  await edge.scan();
  await untilOld();
  // What was used lately stays; a receiver that has just begun knows of no use.
  await stage.receiver.process.stop('SIGTERM');
  await stage.restartReceiver();
  const { process: receiver } = stage.receiver;
  await receiver.until('DC1 to go', () => receiver.stderr.includes('directory retired'));
  await until(
    'nothing to be left of it',
    () => readdirSync(join(stage.store, '.isync/retired/edge1')).length === 0,
  );
  expect(readdirSync(join(stage.store, 'edge1')).toSorted()).toEqual(['DC2', 'DC3']);
  expect(receiver.stderr.split('\n').filter((line) => line.includes('directory retired'))).toHaveLength(1);

  const scanned = await edge.scan();
  expect(scanned.summary).toMatchObject({ files: 0, problems: [] });
  const verified = await runCli(['verify', edge.root, ...to]);
  expect(verified).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/retired DC1: by the target at/),
  });
  expect(verified.stdout).toContain('0 missing');
  expect(verified.stdout).toContain('3 retired at the target');
  const expired = await runCli(['expire', edge.root, ...to, '--keep', '0', '--keep-at-least', '0', '--json']);
  expect(expired.exitCode).toBe(1);
  expect(JSON.parse(expired.stdout)).toMatchObject({
    expired: [{ name: 'DC2' }],
    kept: [{ directory: 'DC1', code: 'NOT_EXPIRED' }],
  });
  expect(existsSync(join(edge.root, 'DC1/sub/b'))).toBe(true);
});

test('killed as it retires, a receiver goes on at its next start: nothing is seen half', async () => {
  await using stage = await startStage();
  const edge = await stage.edge('edge1');
  for (let n = 0; n < DIRECTORIES; n++) {
    const files = Array.from({ length: FILES_EACH }, (_, at) => [`DC${n}/f${at}`, at % 7] as const);
    await edge.write({ ...Object.fromEntries(files), [`DC${n}/finished.parse`]: '' });
    await edge.scan();
  }
  await stage.receiver.process.stop('SIGTERM');
  await untilOld();
  const there = (): string[] => readdirSync(join(stage.store, 'edge1'));
  const whole = (): void => {
    for (const name of there())
      expect(readdirSync(join(stage.store, 'edge1', name))).toHaveLength(FILES_EACH + 1);
  };
  for (let kill = 0; kill < KILLS && there().length > 1; kill++) {
    const before = there().length;
    await using receiver = startCli(['receive', stage.store, '--listen', '127.0.0.1:0', ...RETAIN]);
    await receiver.until('one to go', () => there().length < before);
    await receiver.kill();
    whole();
  }
  await using last = await startReceiver(stage.store, { args: RETAIN });
  await last.process.until('all but one to go', () => there().length === 1);
  whole();
  for (const folder of ['retiring', 'retired'])
    await last.process.until(`${folder} to be empty`, () => {
      const path = join(stage.store, '.isync', folder, 'edge1');
      return !existsSync(path) || readdirSync(path).length === 0;
    });
  expect(there()).toEqual([`DC${DIRECTORIES - 1}`]);
});

test('what a receiver with --retain has set aside comes back also by one without', async () => {
  await using stage = await startStage();
  const edge = await stage.edge('edge1');
  await edge.write({ 'DC1/a': 10, 'DC1/finished.parse': '' });
  await edge.scan();
  await stage.receiver.process.stop('SIGTERM');
  const aside = join(stage.store, '.isync/retiring/edge1');
  const gone = join(stage.store, '.isync/retired/edge1/DC0');
  for (const folder of [aside, gone]) mkdirSync(folder, { recursive: true });
  renameSync(join(stage.store, 'edge1/DC1'), join(aside, 'DC1'));
  await stage.restartReceiver();
  expect(existsSync(join(stage.store, 'edge1/DC1/a'))).toBe(true);
  await until('the rest to go', () => !existsSync(gone));
  expect(await edge.differences()).toEqual([]);
});

test.each([
  [['--retain', '90d', '--immutable'], 'removes what --immutable is to keep for good'],
  [['--retain', '0'], 'is no time with a unit'],
  [['--retain', '0d'], 'is too short'],
  [['--retain', '9d', '--retain-last', '0'], 'is no whole number from 1 up'],
])('receive with %j is refused in the words of the option', async (args, told) => {
  await using folder = await temporaryFolder('retention');
  const { exitCode, stderr } = await runCli(['receive', folder.path, ...args]);
  expect(exitCode).toBe(2);
  expect(stderr).toContain(told);
});

test('a device has a retention of its own in the tokens file, which is followed as it changes', async () => {
  await using folder = await temporaryFolder('retention');
  const store = join(folder.path, 'store');
  const tokens = join(folder.path, 'tokens.json');
  for (const device of ['edge1', 'edge2']) {
    await addToken(device, tokens);
    for (const name of ['DC1', 'DC2']) {
      mkdirSync(join(store, device, name), { recursive: true });
      for (const file of ['a', 'finished.parse']) writeFileSync(join(store, device, name, file), '');
    }
  }
  await untilOld();
  const there = (device: string): string[] => readdirSync(join(store, device)).toSorted();
  say(tokens, { edge1: { retain: '1s' }, edge2: {} });
  await using receiver = await startReceiver(store, { args: ['--tokens', tokens] });
  await receiver.process.until('one of edge1 to go', () => there('edge1').length === 1);
  expect(there('edge2')).toEqual(['DC1', 'DC2']);
  say(tokens, { edge1: { retain: 'never' }, edge2: { retain: '1s', retainLast: 1 } });
  await receiver.process.until('one of edge2 to go', () => there('edge2').length === 1);
  expect(there('edge1')).toHaveLength(1);
  say(tokens, { edge2: { retain: 'soon' } });
  await receiver.process.until('the file to be refused', () => receiver.process.stderr.includes('unusable'));
  await receiver.process.stop('SIGTERM');
  const refused = await runCli(['receive', store, '--listen', '127.0.0.1:0', '--tokens', tokens, '--json']);
  expect(refused.exitCode).toBe(2);
  expect(refused.stdout + refused.stderr).toContain('CONFIG_INVALID');
  expect(refused.stdout + refused.stderr).toContain('is no time like');
});

test('what the tokens file says wins over --retain, and is refused with --immutable', async () => {
  await using folder = await temporaryFolder('retention');
  const store = join(folder.path, 'store');
  const tokens = join(folder.path, 'tokens.json');
  for (const device of ['edge1', 'edge2', 'edge3']) {
    await addToken(device, tokens);
    for (const name of ['DC1', 'DC2', 'DC3']) {
      mkdirSync(join(store, device, name), { recursive: true });
      writeFileSync(join(store, device, name, 'finished.parse'), '');
    }
  }
  await untilOld();
  const left = (device: string): number => readdirSync(join(store, device)).length;
  say(tokens, { edge1: { retain: 'never' }, edge2: { retainLast: 2 } });
  const immutable = await runCli(['receive', store, '--tokens', tokens, '--immutable']);
  expect(immutable.exitCode).toBe(2);
  expect(immutable.stderr).toContain('--immutable is to keep all for good');
  await using receiver = await startReceiver(store, { args: ['--tokens', tokens, ...RETAIN] });
  await receiver.process.until('all to go that may', () => left('edge2') === 2 && left('edge3') === 1);
  expect(left('edge1')).toBe(3);
});

/** Says that of the devices, and nothing else. */
function say(path: string, devices: Readonly<Record<string, object>>): void {
  const { tokens } = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(`${path}.new`, JSON.stringify({ version: 1, tokens, devices }), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

test('a bucket is refused, with the way that it has itself', async () => {
  const { exitCode, stderr } = await runCli([
    'receive',
    's3://bucket/x',
    '--s3-region',
    'x',
    '--retain',
    '9d',
  ]);
  expect(exitCode).toBe(2);
  expect(stderr).toContain('lifecycle rule of the bucket');
});

/** Waits until what is there now is older than a second. */
async function untilOld(): Promise<void> {
  const sinceMs = Date.now();
  await until('a second to pass', () => Date.now() - sinceMs > 1100);
}
