import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { build } from '../../harness/build.ts';
import { startCli } from '../../harness/cli.ts';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { untilQuiet } from '../../harness/quiet-machine.ts';
import { Random } from '../../harness/random.ts';
import { hostileBodies } from '../events/hostile-bodies.ts';
import { headOf, post, tcp } from '../events/http-client.ts';
import { messageOf, record } from '../events/http-support.ts';

/** The most that a webhook may hold, in bytes. Of these it holds some 104 MB when it begins: 60 are pages of Node's own file. */
const MAX_PEAK_BYTES = 150_000_000;
const SENDERS = 16;
const ROUNDS = 3;
const SLOW_SENDERS = 50;

// V8 marks on a thread of its own: where other work keeps that one waiting, there are some 8 MB more of garbage. So up to three tries.
const TRIES = { retry: 2 };

it(
  'the built webhook holds at most 150 MB under packed messages of 10,000 records, bombs and slow senders',
  TRIES,
  async () => {
    await using folder = await temporaryFolder('webhook-memory');
    const main = await build(join(folder.path, 'package'));
    const args = ['--role', 'receive', '--port', '0', '--state', join(folder.path, 'state'), '--json'];
    await untilQuiet();
    await using webhook = startCli(['webhook', ...args, '--log-level', 'error'], { main });
    const port = Number(
      await webhook.until('the webhook to listen', () => /:(\d+)\/webhook"/.exec(webhook.stdout)?.[1]),
    );
    const atStart = webhook.peakMemory();
    const { hostile, large } = hostileBodies(new Random(1));
    const packed = { 'content-encoding': 'gzip' };
    const bomb = Buffer.concat(Array<Buffer>(64).fill(gzipSync(Buffer.alloc(1024 * 1024, 0x20))));
    const records = Array.from({ length: 10_000 }, (_, index) => ({
      ...record(`${index}`),
      x: 'y'.repeat(300),
    }));
    const full = gzipSync(messageOf(...records));
    for (let count = 0; count < SLOW_SENDERS; count++)
      await tcp(port, headOf(['Content-Length: 1000000']) + ' '.repeat(100_000));
    const statuses: Record<number, number> = {};
    const send = async (body: string | Buffer, headers: Record<string, string> = {}): Promise<void> => {
      const { status } = await post(port, body, headers);
      statuses[status] = (statuses[status] ?? 0) + 1;
    };
    await Promise.all(
      Array.from({ length: SENDERS }, async () => {
        for (let round = 0; round < ROUNDS; round++) {
          await send(full, packed);
          await send(bomb, packed);
          await send(large());
          for (let count = 0; count < 50; count++) await send(hostile());
        }
      }),
    );
    const [held, peak] = [atStart, webhook.peakMemory()].map((bytes) => Math.round(bytes / 1e6));
    console.log(`${held} MB at the start, ${peak} MB at most; ${JSON.stringify(statuses)}`);
    expect(statuses[413]).toBeGreaterThanOrEqual(SENDERS * ROUNDS);
    expect(statuses[200]).toBeGreaterThanOrEqual(SENDERS * ROUNDS);
    expect(webhook.peakMemory()).toBeLessThan(MAX_PEAK_BYTES);
    expect(await webhook.stop('SIGTERM')).toMatchObject({ exitCode: 0 });
  },
);

it.skipIf(process.execve === undefined)('a webhook keeps its way with memory to itself', async () => {
  await using folder = await temporaryFolder('webhook-anew');
  const [script, seen] = [join(folder.path, 'script'), join(folder.path, 'seen')];
  await writeFile(script, `#!/bin/sh\nenv > "${seen}.new" && mv "${seen}.new" "${seen}"\n`, { mode: 0o755 });
  const args = ['--script', script, '--port', '0', '--state', join(folder.path, 'state'), '--json'];
  await using webhook = startCli(['webhook', ...args], { env: { MALLOC_MMAP_THRESHOLD_: '100000' } });
  const port = await webhook.until(
    'the webhook to listen',
    () => /:(\d+)\/webhook"/.exec(webhook.stdout)?.[1],
  );
  const own = await readFile(`/proc/${webhook.pid}/environ`, 'latin1');
  expect(own.split('\0')).toEqual(
    expect.arrayContaining(['MALLOC_ARENA_MAX=2', 'MALLOC_MMAP_THRESHOLD_=100000']),
  );
  expect(await post(Number(port), messageOf(record('a')))).toMatchObject({ status: 200 });
  await webhook.until('the script to have run', () => existsSync(seen));
  const lines = (await readFile(seen, 'utf8'))
    .split('\n')
    .filter((line) => /^(?:MALLOC|ISYNC_BEGUN)/.test(line));
  expect(lines).toEqual(['MALLOC_MMAP_THRESHOLD_=100000']);
  expect(await webhook.stop('SIGTERM')).toMatchObject({ exitCode: 0 });
});
