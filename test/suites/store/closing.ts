import { expect, it } from 'vitest';
import { digestOf } from '../../../src/model/digest.ts';
import { parseRelPath } from '../../../src/model/rel-path.ts';
import { fileAt, listAll, putBytes } from './files.ts';
import { type Subject } from './subject.ts';

export function closingSuite(subject: Subject): void {
  it('syncs folders, also those that are not there', async () => {
    await putBytes(subject.store, 'dev/DC1/f', 'x');
    await subject.store.sync(parseRelPath('dev/DC1'));
    await subject.store.sync(parseRelPath('dev/empty'));
    expect(await listAll(subject.store)).toHaveLength(1);
  });

  it('gives up with the reason of the signal', async () => {
    const file = await putBytes(subject.store, 'f', 'x');
    const signal = AbortSignal.abort(new Error('no longer wanted'));
    const list = async (): Promise<void> => {
      for await (const each of subject.store.list('', { signal })) expect(each).toBeUndefined();
    };
    await expect(subject.store.stat(file.path, { signal })).rejects.toThrow('no longer wanted');
    await expect(subject.store.read(file.path, { signal })).rejects.toThrow('no longer wanted');
    await expect(subject.store.remove(file.path, { signal })).rejects.toThrow('no longer wanted');
    await expect(list()).rejects.toThrow('no longer wanted');
    await expect(
      subject.store.begin(fileAt('g', 1), { algorithm: 'xxh64', resume: true, signal }),
    ).rejects.toThrow('no longer wanted');
    await expect(subject.store.sync(parseRelPath('d'), { signal })).rejects.toThrow('no longer wanted');
    await (await subject.begin(fileAt('g', 1))).abort();
  });

  it('waits for what is under way when it is closed, and takes nothing afterwards', async () => {
    const puts = Array.from({ length: 40 }, (_, i) => putBytes(subject.store, `d/${i}`, 'x'));
    const upload = await subject.begin(fileAt('d/upload', 1));
    await upload.write(Buffer.from('x'));
    const settled = Promise.all([...puts, upload.commit(digestOf('xxh64', Buffer.from('x')))]);
    const closed = subject.store;
    await Promise.all([closed[Symbol.asyncDispose](), closed[Symbol.asyncDispose]()]);
    await settled;
    const path = parseRelPath('d/1');
    const list = async (): Promise<void> => {
      for await (const each of closed.list('')) expect(each).toBeUndefined();
    };
    for (const call of [
      closed.stat(path),
      closed.read(path),
      closed.remove(path),
      putBytes(closed, 'd/late', 'x'),
      closed.begin(fileAt('d/late', 1), { algorithm: 'xxh64', resume: true }),
      closed.sync(parseRelPath('d')),
      list(),
    ])
      await expect(call).rejects.toMatchObject({ code: 'BUSY', retryable: true });
    await subject.reopen();
    expect(await listAll(subject.store)).toHaveLength(41);
  });
}
