import { existsSync, readFileSync } from 'node:fs';
import { mkdir, readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { connect, greet, inlineFile } from '../receiver/wire-client.ts';
import { addToken, runCli, startReceiver, startScan, writeTokenFile } from '../../harness/cli.ts';
import { contentOf } from '../../harness/data-tree.ts';
import { startStage } from '../../harness/stage.ts';

/** Every receiver and every sender here is a process of its own. */

describe('isync receive --immutable', () => {
  test('never replaces a file by different content, which is a problem at the sender; the rest goes on', async () => {
    await using stage = await startStage({ args: ['--immutable'] });
    const edge = await stage.edge('edge1');
    await edge.write({ 'DC1/a': 'first', 'DC1/same': 'same', 'DC1/finished.parse': '' });
    expect(await edge.scan()).toMatchObject({ exitCode: 0 });
    await rm(edge.root, { recursive: true });
    await edge.write({
      'DC1/a': 'other',
      'DC1/same': 'same',
      'DC1/large': 300_000,
      'DC1/finished.parse': '',
    });
    await edge.write({ 'DC2/b': 'b', 'DC2/finished.parse': '' });
    const { exitCode, summary } = await edge.scan();
    expect(exitCode).toBe(1);
    expect(summary.problems).toMatchObject([{ path: 'DC1/a', code: 'IMMUTABLE' }]);
    expect(readFileSync(join(edge.copy, 'DC1/a'), 'utf8')).toBe('first');
    expect([edge.sealed('DC1'), edge.sealed('DC2')]).toEqual([false, true]);
    expect(edge.has('DC1/large')).toBe(true);
  });

  test('without it the newer content stands in its place, and was never seen half', async () => {
    await using stage = await startStage();
    const edge = await stage.edge('edge1');
    const versions = ['a', 'b', 'c'].map((seed) => contentOf(seed, 100_000));
    const seen = new Set<string>();
    for (const version of versions) {
      await rm(edge.root, { recursive: true });
      await edge.write({ 'DC1/a': version.toString('latin1'), 'DC1/finished.parse': '' });
      const expected = readFileSync(join(edge.root, 'DC1/a'));
      const scan = edge.daemon([]);
      await scan.until('the newer version', () => {
        if (!edge.has('DC1/a')) return false;
        const content = readFileSync(join(edge.copy, 'DC1/a'));
        seen.add(content.toString('latin1'));
        return content.equals(expected);
      });
      await scan.stop('SIGINT');
    }
    expect(seen.size).toBeLessThanOrEqual(versions.length);
  });
});

describe('isync receive --min-free', () => {
  test('makes a sender wait; with --once it gives up in the end, with STORE_FULL', async () => {
    const { bavail, bsize } = await statfs('/tmp');
    await using stage = await startStage({ args: ['--min-free', String(bavail * bsize * 2)] });
    const edge = await stage.edge('edge1');
    await edge.write({ 'DC1/a': 10, 'DC1/finished.parse': '' });
    const { exitCode, stdout, stderr } = await edge.scan(['--retry-for', '5s']);
    expect(stdout + stderr).toContain('STORE_FULL');
    expect(exitCode).toBeGreaterThan(0);
    expect(edge.sealed('DC1')).toBe(false);
    const waiting = edge.daemon();
    await stage.receiver.process.until('a refusal', () => waiting.stderr.includes('connected'));
    expect(waiting.over).toBe(false);
    await stage.receiver[Symbol.asyncDispose]();
    stage.receiver = await startReceiver(stage.store, { port: stage.receiver.port });
    await waiting.until('the directory to be sealed', () => edge.sealed('DC1'), 60_000);
    await waiting.stop('SIGINT');
  });
});

describe('isync receive --max-file-size', () => {
  test('refuses larger files as a problem of theirs, small and large ones alike', async () => {
    await using stage = await startStage({ args: ['--max-file-size', '200kB'] });
    const edge = await stage.edge('edge1');
    await edge.write({
      'DC1/small': 10,
      'DC1/fits': 200_000,
      'DC1/large': 200_001,
      'DC1/finished.parse': '',
    });
    const { exitCode, summary } = await edge.scan();
    expect(exitCode).toBe(1);
    expect(summary.problems).toMatchObject([{ path: 'DC1/large', code: 'FILE_TOO_LARGE' }]);
    expect([edge.has('DC1/small'), edge.has('DC1/fits'), edge.has('DC1/large')]).toEqual([true, true, false]);
    expect(edge.sealed('DC1')).toBe(false);
  });
});

describe('isync receive --max-connections', () => {
  test('answers BUSY, and the sender comes again', async () => {
    await using stage = await startStage({ args: ['--max-connections', '1'] });
    const edge = await stage.edge('edge1');
    await edge.write({ 'DC1/a': 10, 'DC1/finished.parse': '' });
    const other = await greet(stage.receiver.url, 'other');
    await expect(connect(stage.receiver.url)).rejects.toMatchObject({ status: 503, body: { code: 'BUSY' } });
    const scan = edge.daemon();
    await scan.until('a refusal', () =>
      stage.receiver.process.stderr.includes('all the sessions it may have'),
    );
    await other.close();
    await scan.until('the directory to be sealed', () => edge.sealed('DC1'));
    await scan.stop('SIGINT');
  });
});

describe('isync receive --quota', () => {
  const quota = ['--quota', '1MB'];

  test('keeps no more than that of each device, also over a restart, and other devices have their own', async () => {
    await using stage = await startStage({ args: quota });
    const [edge, other] = [await stage.edge('edge1'), await stage.edge('edge2')];
    await edge.write({ 'DC1/a': 400_000, 'DC1/b': 400_000, 'DC1/finished.parse': '' });
    expect(await edge.scan()).toMatchObject({ exitCode: 0 });
    await stage.receiver[Symbol.asyncDispose]();
    await stage.restartReceiver();
    await edge.write({ 'DC2/c': 400_000, 'DC2/small': 1000, 'DC2/finished.parse': '' });
    const full = await edge.scan(['--retry-for', '5s']);
    expect(full.exitCode).toBeGreaterThan(0);
    expect(full.stdout + full.stderr).toContain('STORE_FULL');
    expect(edge.has('DC2/c')).toBe(false);
    await other.write({ 'DC1/a': 900_000, 'DC1/finished.parse': '' });
    expect(await other.scan()).toMatchObject({ exitCode: 0 });
  });

  test('counts a file that replaces another by what it is larger', async () => {
    await using stage = await startStage({ args: quota });
    const edge = await stage.edge('edge1');
    for (const size of [900_000, 950_000, 100, 999_000]) {
      await rm(edge.root, { recursive: true });
      await edge.write({ 'DC1/a': size, 'DC1/finished.parse': '' });
      expect(await edge.scan()).toMatchObject({ exitCode: 0 });
    }
  });

  test('says at once of a file that could never fit that it is too large', async () => {
    await using stage = await startStage({ args: quota });
    const edge = await stage.edge('edge1');
    await edge.write({ 'DC1/a': 1_000_001, 'DC1/b': 10, 'DC1/finished.parse': '' });
    const { exitCode, summary } = await edge.scan();
    expect(exitCode).toBe(1);
    expect(summary.problems).toMatchObject([{ path: 'DC1/a', code: 'FILE_TOO_LARGE' }]);
  });

  test('counts uploads under way in full: no two of them together go beyond it', async () => {
    await using stage = await startStage({ args: quota });
    const client = await greet(stage.receiver.url, 'edge1');
    client.open(1, 'DC1/a', 600_000);
    client.open(2, 'DC1/b', 600_000);
    // Uploads of different paths are opened side by side: either may be the first.
    const refused = await client.next('refused');
    expect(refused).toMatchObject({ code: 'STORE_FULL', retryable: true });
    client.say({ type: 'cancel', id: 2, keep: false });
    client.say({ type: 'cancel', id: 1, keep: false });
    // Of the path that was taken, so that it comes after that upload is gone.
    const taken = refused.id === 1 ? 'DC1/b' : 'DC1/a';
    client.upload(3, taken, contentOf('c', 600_000));
    expect(await client.acknowledged(1)).toEqual([3]);
    client.open(4, 'DC1/huge', Number.MAX_SAFE_INTEGER);
    expect(await client.next('refused')).toMatchObject({ id: 4, code: 'FILE_TOO_LARGE', retryable: false });
    await client.close();
  });
});

async function leave(url: string, count: number, bytes: number, name = 'f'): Promise<void> {
  const client = await greet(url, 'mallory');
  for (let id = 1; id <= count; id++) {
    client.open(id, `DC1/${name}${id}`, bytes + 1);
    client.say({ type: 'chunk', id, offset: 0, content: contentOf(`${name}${id}`, bytes) });
    client.say({ type: 'cancel', id, keep: true });
  }
  client.say({ type: 'files', firstId: count + 1, files: [inlineFile('DC1/last', 'x')] });
  expect(await client.acknowledged(1)).toEqual([count + 1]);
  await client.close();
}

describe('unfinished uploads that a device leaves behind', () => {
  test('are bounded in number', async () => {
    await using stage = await startStage();
    await leave(stage.receiver.url, 500, 100);
    const parts = join(stage.store, '.isync/staging/parts');
    await stage.receiver.process.until(
      'the store to have tidied up',
      async () => (await readdir(parts)).length === 64,
    );
    // Another device's are none of its business.
    const other = await greet(stage.receiver.url, 'edge1');
    other.open(1, 'DC1/large', 1000);
    other.say({ type: 'chunk', id: 1, offset: 0, content: contentOf('x', 500) });
    other.say({ type: 'cancel', id: 1, keep: true });
    await leave(stage.receiver.url, 100, 100);
    other.open(2, 'DC1/large', 1000, true);
    expect(await other.next('offset')).toMatchObject({ offset: 500 });
    await other.close();
  });

  test('and with a quota in bytes', async () => {
    await using stage = await startStage({ args: ['--quota', '1MB'] });
    for (let n = 0; n < 20; n++) await leave(stage.receiver.url, 1, 200_000, `f${n}-`);
    const parts = join(stage.store, '.isync/staging/parts');
    await vi.waitFor(async () => expect(await readdir(parts)).toHaveLength(5), { timeout: 20_000 });
  });
});

describe('tokens of a running receiver', () => {
  test('are taken over while they change, and revoked ones are cut off within seconds', async () => {
    await using stage = await startStage();
    const tokens = join(stage.folder, 'tokens.json');
    const keep = await addToken('edge1', tokens);
    const lost = await addToken('edge2', tokens);
    const store = join(stage.folder, 'store2');
    await mkdir(store);
    await using receiver = await startReceiver(store, { args: ['--tokens', tokens] });
    const edge = await stage.edge('edge1');
    await edge.write({ 'DC1/a': 2_000_000, 'DC1/finished.parse': '' });
    const tokenFile = await writeTokenFile(stage.folder, 'edge1', keep);
    const kept = startScan(edge.root, {
      to: receiver.url,
      device: 'edge1',
      args: ['--token-file', tokenFile, '--bwlimit', '1MB/s'],
    });
    const revoked = await greet(receiver.url, 'edge2', { token: lost });
    for (let n = 0; n < 5; n++) {
      await Promise.all([addToken(`new${n}`, tokens), addToken(`more${n}`, tokens)]);
      await (await greet(receiver.url, 'edge1', { token: keep, hello: { mode: 'read' } })).close();
    }
    const since = performance.now();
    expect((await runCli(['token', 'revoke', 'edge2', '--tokens', tokens])).exitCode).toBe(0);
    expect((await revoked.closed).code).toBe(4401);
    expect(performance.now() - since).toBeLessThan(10_000);
    await expect(connect(receiver.url, { token: lost })).rejects.toMatchObject({ status: 401 });
    await kept.until('the transfer to end', () => edge.sealed('DC1'));
    expect((await kept.stop('SIGINT')).stderr).not.toContain('link lost');
    expect(existsSync(`${tokens}.lock`)).toBe(false);
    expect(receiver.process.stderr).not.toContain('unusable');
    const listed = JSON.parse(readFileSync(tokens, 'utf8')) as { tokens: unknown[] };
    expect(listed.tokens).toHaveLength(11);
  });
});
