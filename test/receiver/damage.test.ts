import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { withImmutable } from '../../src/store/rules/immutable-store.ts';
import { withQuota } from '../../src/store/rules/quota-store.ts';
import { gatedStore, receiverFor } from './fixtures.ts';
import { greet, inlineFile } from './wire-client.ts';

const SIZE = 2_000_000;
const DAMAGED = {
  code: 'SOURCE_DAMAGED',
  retryable: false,
  message: expect.stringMatching('--replace-damaged'),
};
const asked = { hello: { replaceDamaged: true } };

describe('a file that a power cut seems to have damaged', () => {
  it('is refused beside others that are kept', async () => {
    const store = gatedStore();
    const { url } = await receiverFor(withQuota(store.store, 1e9));
    const client = await greet(url, 'edge1');
    client.say({ type: 'files', firstId: 1, files: [inlineFile('DC1/a', 'content')] });
    await client.acknowledged(1);
    const files = [inlineFile('DC1/a', ''), inlineFile('DC1/a', Buffer.alloc(7)), inlineFile('DC1/b', 'b')];
    client.say({ type: 'files', firstId: 2, files });
    const refused = [await client.next('refused'), await client.next('refused')];
    expect(refused).toEqual([
      expect.objectContaining({ id: 2, ...DAMAGED }),
      expect.objectContaining({ id: 3, ...DAMAGED }),
    ]);
    await client.acknowledged(1);
    expect(store.text('edge1/DC1/a')).toBe('content');
  });

  it('is refused at OPEN where it is shorter, at END where it is nothing but zeros', async () => {
    const store = gatedStore();
    const { url } = await receiverFor(store.store);
    const client = await greet(url, 'edge1');
    const content = randomBytes(SIZE);
    client.upload(1, 'DC1/large', content);
    await client.acknowledged(1);
    client.open(2, 'DC1/large', SIZE - 1, true);
    expect(await client.next('refused')).toMatchObject({ id: 2, ...DAMAGED });
    client.say({ type: 'cancel', id: 2, keep: false });
    client.upload(3, 'DC1/large', Buffer.alloc(SIZE));
    expect(await client.next('refused')).toMatchObject({ id: 3, ...DAMAGED });
    expect(store.bytes('edge1/DC1/large')?.equals(content)).toBe(true);
  });

  it('is kept in a session whose HELLO asks for it, small or large', async () => {
    const store = gatedStore();
    const { url } = await receiverFor(withQuota(store.store, 1e9));
    const client = await greet(url, 'edge1', asked);
    client.say({ type: 'files', firstId: 1, files: [inlineFile('DC1/a', 'content')] });
    client.say({ type: 'files', firstId: 2, files: [inlineFile('DC1/a', '')] });
    client.upload(3, 'DC1/large', randomBytes(SIZE));
    await client.acknowledged(3);
    client.upload(4, 'DC1/large', Buffer.alloc(SIZE));
    await client.acknowledged(1);
    expect(store.text('edge1/DC1/a')).toBe('');
    expect(store.bytes('edge1/DC1/large')?.equals(Buffer.alloc(SIZE))).toBe(true);
  });

  it('stays out of an immutable store, whatever HELLO asks for', async () => {
    const store = gatedStore();
    const { url } = await receiverFor(withImmutable(store.store));
    const client = await greet(url, 'edge1', asked);
    client.say({ type: 'files', firstId: 1, files: [inlineFile('DC1/a', 'content')] });
    await client.acknowledged(1);
    client.say({ type: 'files', firstId: 2, files: [inlineFile('DC1/a', '')] });
    expect(await client.next('refused')).toMatchObject({ id: 2, code: 'IMMUTABLE' });
    client.open(3, 'DC1/a', 3);
    expect(await client.next('refused')).toMatchObject({ id: 3, code: 'IMMUTABLE' });
    expect(digestOf('xxh64', store.bytes('edge1/DC1/a')!)).toEqual(digestOf('xxh64', Buffer.from('content')));
  });
});
