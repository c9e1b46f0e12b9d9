import { expect, it } from 'vitest';
import { withS3Server } from '../../harness/s3-server.ts';
import { CopyStage } from '../events/copy-stage.ts';

const keysBelow = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}k${String(index).padStart(2, '0')}`);

await withS3Server((server) => {
  it('new objects in a row take four requests each, and one that is there is compared all the same', async () => {
    const stage = await CopyStage.start(server);
    const worker = stage.open();
    const keys = Array.from({ length: 9 }, (_, index) => `k${index}`);
    for (const key of [...keys, 'new', 'new-too', 'equal', 'other']) await stage.put(key);
    for (const key of keys) await worker.created(key);
    await stage.putCopy('equal', 'content of equal');
    await stage.putCopy('other', 'something');
    const counted = async (key: string) => {
      const before = [stage.source.asked.length, stage.target.asked.length];
      const { outcome } = await worker.created(key);
      const methods = [stage.source, stage.target].map((front, side) =>
        front.asked.slice(before[side]).map(({ method }) => method),
      );
      return { outcome, methods };
    };
    const four = {
      outcome: 'written',
      methods: [
        ['GET', 'HEAD'],
        ['PUT', 'HEAD'],
      ],
    };
    expect(await counted('new')).toEqual(four);
    expect(await counted('new-too')).toEqual(four);
    // It may be there because of the first try of that very request.
    expect(await counted('equal')).toEqual({
      outcome: 'unchanged',
      methods: [
        ['GET', 'HEAD'],
        ['PUT', 'HEAD'],
      ],
    });
    expect(await counted('other')).toMatchObject({ outcome: 'written' });
    expect(await stage.text('other')).toBe('content of other');
    expect(stage.log.lines).toEqual([]);
  });

  it('the server copies a new object in four requests, and removes a copy whose object has gone meanwhile', async () => {
    const stage = await CopyStage.start(server);
    const worker = stage.open({ isOneServer: true });
    await stage.put('k');
    const size = Buffer.byteLength('content of k');
    expect(await worker.created('k', { size })).toEqual({ outcome: 'written', bytes: size });
    expect(stage.source.asked.map(({ method }) => method)).toEqual(['HEAD', 'PUT', 'HEAD', 'HEAD']);
    await stage.put('gone');
    const held = stage.holdWrite('after');
    const copied = worker.created('gone', { size });
    await held.reached;
    await stage.delete('gone');
    held.release();
    expect(await copied).toEqual({ outcome: 'removed' });
    expect(await worker.created('none', { size })).toEqual({ outcome: 'missing' });
    expect(await stage.copies()).toEqual(['k']);
  });

  it('new objects by the thousand take three requests each, and some listings; an equal one is not copied again', async () => {
    const stage = await CopyStage.start(server);
    const worker = stage.open({ isOneServer: true, target: { prefix: 'p/' } });
    const [first, others] = [keysBelow('a/', 8), keysBelow('b/', 20)];
    const size = Buffer.byteLength('content of b/k00');
    const all = [...first, ...others, 'b/equal', 'b/other'];
    await Promise.all(all.map(async (key) => await stage.put(key)));
    await stage.putCopy('p/b/equal', 'content of b/equal');
    await stage.putCopy('p/b/other', 'something');
    for (const key of first) await worker.created(key, { size });
    const before = stage.source.asked.length;
    await Promise.all(others.map(async (key) => await worker.created(key, { size })));
    const asked = stage.source.asked.slice(before).map(({ method }) => method);
    expect(asked.filter((method) => method === 'GET')).toHaveLength(1);
    expect(asked).toHaveLength(1 + 3 * others.length);
    const writes = stage.writes();
    // It was there before the listing; these were not.
    for (const key of ['b/equal', ...others])
      expect(await worker.created(key, { size })).toEqual({ outcome: 'unchanged' });
    expect(stage.writes()).toEqual(writes);
    expect(await worker.created('b/other', { size })).toMatchObject({ outcome: 'written' });
    for (const key of all) expect(await stage.text(`p/${key}`)).toBe(`content of ${key}`);
    expect(stage.again).toBe(0);
    expect(stage.log.lines).toEqual([]);
  });

  it('a target that may not be listed is looked at key by key', async () => {
    const stage = await CopyStage.start(server);
    const worker = stage.open({ isOneServer: true });
    const keys = keysBelow('', 12);
    await Promise.all(keys.map(async (key) => await stage.put(key)));
    stage.source.refuse = ({ url = '' }) =>
      url.includes('list-type') ? { status: 403, code: 'AccessDenied' } : undefined;
    for (const key of keys)
      expect(await worker.created(key, { size: 20 })).toMatchObject({ outcome: 'written' });
    // The SDK tells why.
    expect(stage.source.refused).toBe(2);
    expect(stage.source.asked).toHaveLength(4 * keys.length);
  });
});
