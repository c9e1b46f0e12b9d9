import { expect, test } from 'vitest';
import { createWsTarget } from '../../src/sender/ws/ws-target.ts';
import { withS3Server } from '../../harness/s3-server.ts';
import { MemorySource } from '../sender/memory-source.ts';
import { noise } from '../sender/source-folder.ts';
import { receive } from '../sender/receiver-fixture.ts';
import { openStoreAt } from '../store/s3/stores.ts';

const DEVICES = 12;
const FILES = 6;
const PART_BYTES = 8 * 1024 * 1024;
/** For four parts, while each device sends four files at once. */
const BUFFER_BYTES = 4 * PART_BYTES;

await withS3Server((server) => {
  test('many devices with large files share little memory without taking it from each other', async () => {
    await using store = await openStoreAt(server, {
      bucket: await server.makeBucket(),
      partBufferBytes: BUFFER_BYTES,
      minPartBytes: PART_BYTES,
    });
    await using receiver = await receive(store);
    const content = noise(10 * 1024 * 1024);
    const refusals: string[] = [];
    const send = async (device: string): Promise<number> => {
      await using target = createWsTarget({
        url: receiver.url,
        device,
        mode: 'write',
        digest: 'xxh64',
        retry: { giveUpAfterMs: undefined },
        onRetry: ({ code }) => refusals.push(code),
      });
      const sources = Array.from({ length: FILES }, (_, i) => new MemorySource(`DC1/${i}`, content));
      const receipts = await Promise.all(sources.map((source) => target.put(source)));
      return receipts.reduce((sum, { sentBytes }) => sum + sentBytes, 0);
    };
    const sent = await Promise.all(Array.from({ length: DEVICES }, (_, i) => send(`edge${i}`)));
    expect(refusals).toEqual([]);
    expect(sent).toEqual(sent.map(() => FILES * content.length));
  });
});
