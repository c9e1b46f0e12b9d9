import { expect, test } from 'vitest';
import type { CliProcess } from '../../harness/process.ts';
import { filesBelow } from '../../harness/data-tree.ts';
import { startStage, untilSealed } from '../../harness/stage.ts';

test('Ctrl-C finishes what is in flight and ends with 130; the next scan does the rest', async () => {
  await using stage = await startStage();
  const edge = await stage.edge('edge1');
  const names = Array.from({ length: 100 }, (_, index) => `DC1/file-${index}`);
  await edge.write({ ...Object.fromEntries(names.map((name) => [name, 100_000])), 'DC1/finished.parse': '' });
  await using daemon = edge.daemon(['--bwlimit', '4MB/s']);
  await daemon.until('some to arrive', async () => (await filesBelow(edge.copy)).size > 3);
  const { exitCode } = await daemon.stop('SIGINT');
  expect({ exitCode, sealed: edge.sealed('DC1') }).toEqual({ exitCode: 130, sealed: false });
  const { summary } = await edge.scan();
  expect(summary.files + summary.skippedMarked).toBe(names.length);
  expect(summary.skippedMarked).toBeGreaterThan(3);
  expect(await edge.differences()).toEqual([]);
});

test.each(['SIGTERM', 'SIGINT'] as const)(
  '%s ends a daemon in order, with a summary and 130',
  async (signal) => {
    await using stage = await startStage();
    const edge = await stage.edge('edge1');
    await edge.write({ 'DC1/a': 10 });
    await using daemon = edge.daemon();
    await daemon.until('the first file', () => edge.has('DC1/a'));
    const { exitCode, stdout } = await daemon.stop(signal);
    expect(exitCode).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({ files: 1, bytes: 10, exitCode: 130 });
    // Its end is no failure, as with the other signals.
    expect(await stage.receiver.process.stop(signal)).toMatchObject({ exitCode: 0 });
  },
);

test('SIGUSR1 opens no debugger', async () => {
  await using stage = await startStage();
  const edge = await stage.edge('edge1');
  await edge.write({ 'DC1/a': 10 });
  await using daemon = edge.daemon();
  await daemon.until('the first file', () => edge.has('DC1/a'));
  daemon.signal('SIGUSR1');
  await edge.write({ 'DC1/b': 10 });
  await daemon.until('the next file', () => edge.has('DC1/b'));
  const { exitCode, stderr } = await daemon.stop('SIGTERM');
  expect({ exitCode, stderr }).toEqual({ exitCode: 130, stderr: expect.not.stringContaining('Debugger') });
});

/** How long `daemon` takes to end, in ms. */
async function msToStop(daemon: CliProcess): Promise<number> {
  const askedMs = performance.now();
  expect(await daemon.stop('SIGTERM')).toMatchObject({ exitCode: 130 });
  return performance.now() - askedMs;
}

/** Well below what files in flight may take to end. */
const AT_ONCE_MS = 6_000;

test('a stop waits for nothing where the target can not be reached', async () => {
  await using stage = await startStage();
  const edge = await stage.edge('edge1');
  await edge.write({ 'DC1/a': 10 });
  await using daemon = edge.daemon();
  await daemon.until('the first file', () => edge.has('DC1/a'));
  await stage.receiver.process.stop('SIGTERM');
  await edge.write({ 'DC1/b': 10 });
  await daemon.until('the daemon to try again', () => daemon.stderr.includes('ECONNREFUSED'));
  expect(await msToStop(daemon)).toBeLessThan(AT_ONCE_MS);
});

test('a stop waits for nothing where the target is full', async () => {
  await using stage = await startStage({ args: ['--quota', '100'] });
  const edge = await stage.edge('edge1');
  await edge.write({ 'DC1/a': 60, 'DC1/b': 60 });
  await using daemon = edge.daemon();
  await daemon.until('the target to be full', () => daemon.stderr.includes('STORE_FULL'));
  expect(await msToStop(daemon)).toBeLessThan(AT_ONCE_MS);
});

test('a daemon outlives its receiver and goes on when that is back', async () => {
  await using stage = await startStage();
  const edge = await stage.edge('edge1');
  await edge.write({ 'DC1/a': 10 });
  await using daemon = edge.daemon();
  await daemon.until('the first file', () => edge.has('DC1/a'));
  // It did what it was asked to, so that a service manager need not wonder.
  expect(await stage.receiver.process.stop('SIGTERM')).toMatchObject({ exitCode: 0 });
  await edge.write({ 'DC1/b': 10, 'DC1/c': 100_000, 'DC1/finished.parse': '' });
  await daemon.until('the daemon to miss its receiver', () => /LINK_LOST|UNREACHABLE/.test(daemon.stderr));
  expect(edge.sealed('DC1')).toBe(false);
  await stage.restartReceiver();
  await untilSealed(edge, ['DC1'], daemon);
  expect(await edge.differences()).toEqual([]);
});
