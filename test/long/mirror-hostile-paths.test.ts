import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { paginateListObjectsV2 } from '@aws-sdk/client-s3';
import { expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../../harness/data-tree.ts';
import { type OriginAsked, refusal, startHostileOrigin, whole } from '../../harness/hostile-origin.ts';
import { mirrorSettled, startMirrorServer } from '../../harness/mirror-server.ts';
import { Random } from '../../harness/random.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { hostileTarget } from '../mirror/hostile-targets.ts';
import { type RawAnswer, RawClient } from '../mirror/raw-client.ts';

/** What it must stand is 100,000, which take minutes. */
const PATHS = Number(process.env['ISYNC_TEST_MIRROR_PATHS'] ?? 20_000);
const SEED = Number(process.env['ISYNC_TEST_SEED'] ?? 20_261_126);
/** A machine that does other things as well takes 5 ms for each. */
const TIMEOUT_MS = 600_000 + 15 * PATHS;
/** Connections at a time. */
const WIDTH = 12;
const BASE = '/base/path/';
/** The most that a server may hold. */
const MOST_BYTES = 250_000_000;
const METHODS = ['GET', 'GET', 'GET', 'GET', 'GET', 'HEAD', 'OPTIONS', 'POST', 'DELETE'] as const;

/** What nobody may connect to. It is there under the names that paths hold. */
async function startBystander() {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.destroy();
  });
  server.listen(0, '127.0.0.2');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const at = `127.0.0.2:${(server.address() as AddressInfo).port}`;
  return { at, connections: () => connections };
}

/** One in eight is there, by its name: those are kept. */
function isThere({ target }: Pick<OriginAsked, 'target'>): boolean {
  return target.length % 8 === 0;
}

await withS3Server((server) => {
  it(
    `${PATHS} hostile paths get 2xx to 4xx, and leave neither host nor base of the origin (seed ${SEED})`,
    { timeout: TIMEOUT_MS },
    async () => {
      const random = new Random(SEED);
      const bystander = await startBystander();
      await using origin = await startHostileOrigin((socket, asked) =>
        (isThere(asked) ? whole(`content of ${asked.target}`) : refusal(404))(socket, asked),
      );
      const bucket = await server.makeBucket();
      await using folder = await temporaryFolder('paths');
      const base = `${origin.url}${BASE}`;
      const rule = { origins: [base], allowPrivate: true };
      const rules = [
        { ...rule, match: { prefix: 'a' }, key: { strip: 'a' } },
        { ...rule, match: { prefix: 'b' }, key: { strip: 'b/', add: '.' }, query: 'pass' },
        { ...rule, match: { prefix: 'img/' }, key: { strip: 'img/', add: 'pictures' }, query: 'pass' },
        rule,
      ];
      const started = async (name: string, more: object) => {
        await mkdir(join(folder.path, name));
        return await startMirrorServer(server, {
          folder: join(folder.path, name),
          settings: { bucket: `s3://${bucket}/${name}`, rules, ...more },
          args: ['--status', '127.0.0.1:0', '--log-level', 'error'],
        });
      };
      await using streams = await started('streams', {});
      await using sends = await started('sends', { onMiss: 'redirect-origin' });
      const mirrors = [streams, sends];

      const more = [
        bystander.at,
        `//${bystander.at}/`,
        `http://${bystander.at}/x`,
        `@${bystander.at}`,
        `\r\nHost: ${bystander.at}\r\n`,
        'y'.repeat(1024),
        'z'.repeat(9000),
      ];
      const statuses: Record<number, number> = {};
      const wrong: string[] = [];
      const look = (line: string, answer: RawAnswer | undefined): void => {
        const { status = 0, headers = {} } = answer ?? {};
        statuses[status] = (statuses[status] ?? 0) + 1;
        if (status < 200 || status > 499) wrong.push(`${status} for ${line}`);
        const location = headers['location'];
        if (location === undefined) return;
        // Also where a URL is made of it, as browsers do.
        const { origin: host, pathname } = new URL(location);
        if (!location.startsWith(base) || host !== origin.url || !pathname.startsWith(BASE))
          wrong.push(`to ${location} for ${line}`);
      };
      const send = async (client: RawClient): Promise<void> => {
        const target = hostileTarget(random, more);
        const method = random.pick(METHODS);
        const line = `${method} ${target} HTTP/1.1`;
        const request = `${line}\r\nHost: mirror\r\n\r\n`;
        if (!/[\r\n]/.test(target)) return look(line, await client.ask(request, method === 'HEAD'));
        // It may be two requests, or one and a half. The last one ends the connection, if nothing did before.
        const end = 'GET /healthz HTTP/1.1\r\nHost: mirror\r\nConnection: close\r\n\r\n';
        const answers = await client.askAll(`GET ${target} HTTP/1.1\r\nHost: mirror\r\n\r\n${end}`);
        for (const answer of answers.length === 0 ? [undefined] : answers) look(line, answer);
      };
      let sent = 0;
      await Promise.all(
        Array.from({ length: WIDTH }, async (_, index) => {
          using client = new RawClient(mirrors[index % mirrors.length]!.port);
          while (sent++ < PATHS) await send(client);
        }),
      );
      for (const mirror of mirrors) {
        await mirrorSettled(mirror);
        expect((await fetch(`${mirror.url}/healthz`)).status).toBe(200);
      }

      const [held, heldToo] = mirrors.map(({ process }) => Math.round(process.peakMemory() / 1e6));
      console.log(
        `${held} and ${heldToo} MB at most; ${JSON.stringify(statuses)}; ${origin.asked.length} asked`,
      );
      expect(wrong.slice(0, 20)).toEqual([]);
      for (const { target, headers } of origin.asked) {
        const [path = ''] = target.split('?');
        const key = decodeURIComponent(path.slice(BASE.length));
        if (
          !path.startsWith(BASE) ||
          /(^|[/\\])\.\.?($|[/\\])/.test(key) ||
          headers['host'] !== `127.0.0.1:${origin.port}`
        )
          wrong.push(`${target} of ${headers['host']}`);
      }
      expect(wrong.slice(0, 20)).toEqual([]);
      expect(bystander.connections()).toBe(0);
      // What is kept lies below its prefix, too.
      let kept = 0;
      for await (const { Contents = [] } of paginateListObjectsV2(
        { client: server.client },
        { Bucket: bucket },
      ))
        for (const { Key = '' } of Contents) {
          kept++;
          if (!/^(?:streams|sends)\/./s.test(Key)) wrong.push(Key);
        }
      expect(wrong).toEqual([]);
      // All ends were met often enough to say something.
      expect(origin.asked.length).toBeGreaterThan(PATHS / 20);
      expect(kept).toBeGreaterThan(PATHS / 500);
      for (const status of [200, 204, 302, 400, 404, 405])
        expect([status, statuses[status] ?? 0]).toEqual([
          status,
          expect.toSatisfy((n: number) => n > PATHS / 1000),
        ]);
      for (const { process } of mirrors) {
        expect(process.peakMemory()).toBeGreaterThan(0);
        expect(process.peakMemory()).toBeLessThan(MOST_BYTES);
        expect((await process.stop('SIGTERM')).exitCode).toBe(0);
      }
    },
  );
});
