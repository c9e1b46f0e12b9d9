import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { HeadObjectCommand } from '@aws-sdk/client-s3';
import { expect, it, onTestFinished } from 'vitest';
import { contentOf, temporaryFolder } from '../../harness/data-tree.ts';
import { metricOf, mirrorSettled, startMirrorServer } from '../../harness/mirror-server.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import type { HerdOrder, HerdReport } from '../mirror/herd-clients.ts';

const PROGRAM = fileURLToPath(new URL('../mirror/herd-clients.ts', import.meta.url));
const PATH = '/film.bin';
const CLIENTS = Number(process.env['ISYNC_TEST_MIRROR_CLIENTS'] ?? 1000);
const BYTES = Number(process.env['ISYNC_TEST_MIRROR_BYTES'] ?? 50 * 1024 * 1024);
/** Bytes a second of the origin, and of a client that reads slowly. */
const ORIGIN_BYTES = 2_000_000;
const SLOW_BYTES = 1_000_000;
/** How often the origin sends, in ms. */
const STEP_MS = 50;
/** The most that the server may hold. */
const MOST_BYTES = 300_000_000;

/** Sends `content` at {@link ORIGIN_BYTES} to whoever asks. */
async function startSlowOrigin(content: Buffer) {
  const asked: string[] = [];
  const send = async (response: ServerResponse): Promise<void> => {
    response.writeHead(200, { 'content-length': content.length, 'content-type': 'video/mp4' });
    const since = performance.now();
    for (let at = 0; at < content.length && !response.destroyed;) {
      const end = Math.floor(((performance.now() - since) * ORIGIN_BYTES) / 1000);
      if (end > at) response.write(content.subarray(at, end));
      at = Math.max(at, end);
      await delay(STEP_MS);
    }
    response.end();
  };
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    void send(response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

await withS3Server((server) => {
  it(`${CLIENTS} clients at once for one missing object cost its origin one request, and the mirror 300 MB at most`, async () => {
    const content = contentOf(PATH, BYTES);
    const origin = await startSlowOrigin(content);
    const bucket = await server.makeBucket();
    await using folder = await temporaryFolder('herd');
    await using mirror = await startMirrorServer(server, {
      folder: folder.path,
      settings: { bucket: `s3://${bucket}`, rules: [{ origins: [origin.url], allowPrivate: true }] },
      args: ['--status', '127.0.0.1:0'],
    });
    const atStart = mirror.process.peakMemory();
    const order: HerdOrder = {
      port: mirror.port,
      path: PATH,
      size: BYTES,
      clients: CLIENTS,
      slowBytes: SLOW_BYTES,
      seed: 1,
    };
    const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, JSON.stringify(order)]);
    const report = JSON.parse(stdout) as HerdReport;
    await mirrorSettled(mirror);
    const peak = mirror.process.peakMemory();
    const [startMB, peakMB] = [atStart, peak].map((bytes) => Math.round(bytes / 1e6));
    console.log(`${startMB} MB at the start, ${peakMB} MB at most; ${stdout.trim()}`);
    const tenth = Math.floor(CLIENTS / 10);
    expect(report).toMatchObject({ wrong: [], whole: CLIENTS - tenth, slow: tenth, left: tenth });
    expect(origin.asked).toEqual([`GET ${PATH}`]);
    expect(peak).toBeGreaterThan(0);
    expect(peak).toBeLessThan(MOST_BYTES);
    // Nobody is waited for any more, and nothing is left of the body.
    expect(await metricOf(mirror, 'isync_mirror_waiting')).toBe(0);
    await expect.poll(() => metricOf(mirror, 'isync_mirror_spool_bytes')).toBe(0);
    const kept = await server.client.send(new HeadObjectCommand({ Bucket: bucket, Key: PATH.slice(1) }));
    const md5 = createHash('md5').update(content).digest('hex');
    expect(kept).toMatchObject({ ContentLength: BYTES, ContentType: 'video/mp4', ETag: `"${md5}"` });
    const warm = await fetch(`${mirror.url}${PATH}`);
    expect(warm.headers.get('isync-mirror')).toBe('HIT');
    expect(Buffer.from(await warm.arrayBuffer()).equals(content)).toBe(true);
    expect((await mirror.process.stop('SIGTERM')).exitCode).toBe(0);
  });
});
