import { existsSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { cephRecord } from '../../harness/ceph-record.ts';
import { startPullStage, textsBelow } from '../../harness/pull-stage.ts';
import { type Refusal, startS3Front } from '../../harness/s3-front.ts';
import { withS3Server } from '../../harness/s3-server.ts';

/** What S3 answers for objects that are there and can't be read, and what is then to be done. */
const REFUSALS: Readonly<Record<string, { readonly refusal: Refusal; readonly hint: string }>> = {
  archived: { refusal: { status: 403, code: 'InvalidObjectState' }, hint: 'ObjectRestore:Completed' },
  forbidden: { refusal: { status: 403, code: 'AccessDenied' }, hint: 'Grant s3:GetObject' },
  kms: {
    refusal: {
      status: 403,
      code: 'AccessDenied',
      message: 'User: u is not authorized to perform: kms:Decrypt on the resource',
    },
    hint: 'Grant kms:Decrypt',
  },
  customer: {
    refusal: {
      status: 400,
      code: 'InvalidRequest',
      message: 'The object was stored using a form of Server Side Encryption.',
    },
    hint: 'isync has no key of customers',
  },
};

await withS3Server((server) => {
  describe.concurrent('what isync pull has parked', () => {
    test('is listed, shown, taken again by the next run and dropped', async () => {
      await using front = await startS3Front(server.endpoint);
      const bucket = await server.makeBucket();
      await using stage = await startPullStage(server, { endpoint: front.endpoint, bucket });
      await stage.configure({ attempts: 1 });
      await stage.put('a/secret', 'was forbidden');
      front.refuse = () => ({ status: 403, code: 'AccessDenied' });
      await stage.queue.send([
        'not even JSON',
        cephRecord({ event: 'ObjectCreated:Put', bucket, key: 'a/secret' }),
        cephRecord({ event: 'ObjectCreated:Put', bucket, key: 'a/../../out' }),
      ]);
      expect((await stage.once()).summary).toMatchObject({ parked: 3 });
      expect(await stage.isDrained()).toBe(true);

      const lines = async () => (await stage.parked('list')).stdout.split('\n').filter(Boolean);
      const listed = await lines();
      expect(listed).toHaveLength(3);
      const idOf = (word: string) =>
        /[\w-]{8,}/.exec(listed.find((line) => line.includes(word)) ?? '')?.[0] ?? `no ${word}`;
      const shown = await stage.parked('show', idOf('out'));
      expect(shown.stdout).toContain('a/../../out');
      expect(shown.stdout).toContain('BAD_PATH');
      expect((await stage.parked('drop', idOf('out'))).exitCode).toBe(0);
      expect(await lines()).toHaveLength(2);
      expect((await stage.parked('show', 'no-such-id')).exitCode).toBe(2);

      front.refuse = undefined;
      expect((await stage.parked('replay', idOf('secret'))).exitCode).toBe(0);
      const again = await stage.once();
      expect(again.summary).toMatchObject({ written: 1 });
      expect(await textsBelow(stage.at('a'))).toEqual({ secret: 'was forbidden' });
      expect(await lines()).toHaveLength(1);
      expect((await stage.parked('drop', 'all')).exitCode).toBe(0);
      expect(await lines()).toEqual([]);
      expect(existsSync(stage.at('out'))).toBe(false);
    });

    test('says what to grant, and an archived object comes once it has been restored', async () => {
      await using front = await startS3Front(server.endpoint);
      const bucket = await server.makeBucket();
      await using stage = await startPullStage(server, { endpoint: front.endpoint, bucket });
      await stage.configure({ attempts: 1 });
      for (const name of Object.keys(REFUSALS)) await stage.put(`a/${name}`, name);
      front.refuse = ({ url = '' }) => REFUSALS[/\/a\/(\w+)/.exec(url)?.[1] ?? '']?.refusal;
      await stage.queue.send(
        Object.keys(REFUSALS).map((name) =>
          cephRecord({ event: 'ObjectCreated:Put', bucket, key: `a/${name}` }),
        ),
      );
      expect((await stage.once()).summary).toMatchObject({ parked: 4, released: 0 });
      expect(await stage.isDrained()).toBe(true);
      const listed = (await stage.parked('list')).stdout.split('\n').filter(Boolean);
      for (const [name, { hint }] of Object.entries(REFUSALS)) {
        const line = listed.find((each) => each.includes(`a/${name}`)) ?? '';
        expect((await stage.parked('show', line.split(' ')[0] ?? '')).stdout).toContain(hint);
      }

      front.refuse = undefined;
      await stage.queue.send([restored(bucket, 'a/archived')]);
      expect((await stage.once()).summary).toMatchObject({ written: 1 });
      expect(await textsBelow(stage.at('a'))).toEqual({ archived: 'archived' });
      const left = (await stage.parked('list')).stdout.split('\n').filter(Boolean);
      expect(left).toHaveLength(3);
      expect(left.join()).not.toContain('a/archived');
    });
  });
});

/** As AWS tells that an archived object can be read for a while. */
function restored(bucket: string, key: string): string {
  return JSON.stringify({
    Records: [
      {
        eventVersion: '2.1',
        eventSource: 'aws:s3',
        eventTime: new Date().toISOString(),
        eventName: 'ObjectRestore:Completed',
        s3: { bucket: { name: bucket }, object: { key, size: 8, eTag: '' } },
      },
    ],
  });
}
