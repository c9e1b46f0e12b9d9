import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it, onTestFinished } from 'vitest';
import { createS3Client } from '../../src/s3/client.ts';
import { QuickGets } from '../../src/s3/quick/pass-on.ts';

const NEVER = new AbortController().signal;

/** A server that has an object of each size: its key. */
async function startSizes(): Promise<QuickGets> {
  const server = createServer(({ url = '' }, response) => {
    const size = Number(/\d+$/.exec(url)?.[0]);
    response.end(Buffer.alloc(size, 'x'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const endpoint = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const credentials = { accessKeyId: 'a', secretAccessKey: 'b' };
  const client = createS3Client({ bucket: 'b', endpoint: endpoint.href, credentials }, 1);
  const quick = QuickGets.of(client, { endpoint, ca: undefined, connections: 16, answerMs: 60_000 });
  if (quick === undefined) throw new Error('it can not be asked');
  onTestFinished(() => {
    quick[Symbol.dispose]();
    client.destroy();
    server.closeAllConnections();
    server.close();
  });
  return quick;
}

it('comes to its end however slowly it is read, wherever it was stopped', async () => {
  const quick = await startSizes();
  const sizeOf = async (key: string): Promise<number> => {
    const answer = await quick.ask('GET', { bucket: 'b', key }, {}, NEVER);
    if (answer?.body === undefined || answer.body instanceof Uint8Array) throw new Error('no stream');
    let size = 0;
    for await (const piece of answer.body) {
      size += piece.length;
      await delay(5);
    }
    return size;
  };
  const sizes = Array.from({ length: 48 }, (_, index) => 130_000 + index * 7_000);
  expect(await Promise.all(sizes.map((size) => sizeOf(String(size))))).toEqual(sizes);
});
