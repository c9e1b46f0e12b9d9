import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { followMemory } from '../../harness/backlog.ts';
import { cephRecord } from '../../harness/ceph-record.ts';
import { startPullStage } from '../../harness/pull-stage.ts';
import { withS3Server } from '../../harness/s3-server.ts';

/** Most memory of a pull, whatever it does, in bytes. */
const MAX_MEMORY_BYTES = 200 * 1000 * 1000;
const MIB = 1024 ** 2;
/** Keys that are looked at, many at a time. */
const KEYS = 300;
/** Answers that say enough, where they come many at a time. */
const ENOUGH = 30;
/** Failures after which a breaker keeps all further ones back: on a slow machine the first answers are all that there are. */
const KEPT_BACK_AFTER = 5;

await withS3Server((server) => {
  test.each([
    ['errors of 15 MiB', 403, '<Error><Code>AccessDenied</Code><Message>', 'no ', '</Message></Error>', 15],
    ['errors of a million elements', 403, '<Error><Code>AccessDenied</Code>', '<a/>', '</Error>', 15],
    ['errors that look busy', 503, '<Error><Code>SlowDown</Code>', '<a>b</a>', '</Error>', 15],
    ['pages for people', 200, '<html>', '<p>x</p>', '</html>', 4],
  ])('a server of %s fills no memory', async (_, status, head, part, tail, mib) => {
    const body = head + part.repeat((mib * MIB) / part.length) + tail;
    await using hostile = await startHostile((response) =>
      response.writeHead(status, { 'content-type': 'application/xml' }).end(body),
    );
    const bucket = await server.makeBucket();
    await using stage = await startPullStage(server, { bucket, endpoint: hostile.endpoint });
    await stage.configure({ buckets: [bucket], sync: { 'a/': 'a' } });
    await stage.queue.send(
      Array.from({ length: KEYS }, (_, i) =>
        cephRecord({ event: 'ObjectCreated:Put', bucket, key: `a/${i}` }),
      ),
    );
    await using pull = stage.start(['--resync']);
    using memory = followMemory(pull);
    await pull.until('many answers, or no more of them', () => {
      const { answered, open } = hostile.requests;
      return answered >= ENOUGH || (answered >= KEPT_BACK_AFTER && open === 0);
    });
    expect(memory.peakBytes).toBeLessThan(MAX_MEMORY_BYTES);
    console.log(`peak ${Math.round(memory.peakBytes / 1e6)} MB`);
  });
});

async function startHostile(answer: (response: ServerResponse) => void) {
  const requests = { answered: 0, open: 0 };
  const hostile = createServer((request, response) => {
    request.resume();
    requests.open += 1;
    response.once('close', () => {
      requests.open -= 1;
      requests.answered += 1;
    });
    answer(response);
  });
  hostile.listen(0, '127.0.0.1');
  await once(hostile, 'listening');
  return {
    endpoint: `http://127.0.0.1:${(hostile.address() as AddressInfo).port}`,
    requests,
    [Symbol.asyncDispose]: async () => {
      hostile.closeAllConnections();
      hostile.close();
      await once(hostile, 'close');
    },
  };
}
