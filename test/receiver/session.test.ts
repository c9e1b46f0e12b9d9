import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import { decodeReceiverMessage, encode } from '../../src/protocol/codec.ts';
import type { ReceiverMessage, SenderMessage } from '../../src/protocol/messages.ts';
import { rangesOf } from '../../src/receiver/ack-batcher.ts';
import { IdentityLookup } from '../../src/receiver/identity-lookup.ts';
import { MemoryBudget } from '../../src/receiver/memory-budget.ts';
import { RECEIVER_LIMITS, type ReceiverLimits } from '../../src/receiver/receiver-limits.ts';
import { ReceiverSession, type SessionLink } from '../../src/receiver/session.ts';
import type { Store } from '../../src/store/store.ts';
import { bytes, senderMessages } from '../protocol/arbitraries.ts';
import { UNWATCHED } from '../../src/receiver/devices/device-watch.ts';
import { gatedStore } from './fixtures.ts';
import { RecordingLog } from '../recording-log.ts';
import { inlineFile } from './wire-client.ts';

/** What a session says and does, in order. Its messages stay unflushed until the test says so. */
class RecordedLink implements SessionLink {
  readonly said: ReceiverMessage[] = [];
  readonly calls: string[] = [];
  readonly unflushed: (() => void)[] = [];
  flushing = true;

  send(bytes: Buffer, flushed: () => void): void {
    this.said.push(decodeReceiverMessage(bytes, 'xxh64'));
    if (this.flushing) flushed();
    else this.unflushed.push(flushed);
  }

  close(code: number): void {
    this.calls.push(`close ${code}`);
  }

  pause(): void {
    this.calls.push('pause');
  }

  resume(): void {
    this.calls.push('resume');
  }

  flush(): void {
    this.flushing = true;
    for (const flushed of this.unflushed.splice(0)) flushed();
  }

  types(): string[] {
    return this.said.map(({ type }) => type);
  }
}

function sessionFor(store: Store, limits: Partial<ReceiverLimits> = {}) {
  const link = new RecordedLink();
  const log = new RecordingLog();
  const session = new ReceiverSession({
    store,
    storeIdentity: new IdentityLookup(store, log),
    process: 'a process',
    link,
    limits: { ...RECEIVER_LIMITS, ...limits },
    memory: new MemoryBudget(RECEIVER_LIMITS.heldBytes, 1),
    software: 'test',
    watch: () => UNWATCHED,
    mayRead: false,
    authorize: () => undefined,
    onRefused: () => undefined,
    fence: async () => undefined,
    log,
  });
  const say = (message: SenderMessage): void => session.receive(encode(message));
  return { session, link, log, say };
}

async function openSession(store: Store, limits: Partial<ReceiverLimits> = {}) {
  const opened = sessionFor(store, limits);
  opened.say({ type: 'hello', version: 1, device: 'd', mode: 'write', digest: 'xxh64', software: 't' });
  await vi.waitFor(() => expect(opened.link.types()).toEqual(['welcome']), { interval: 1, timeout: 60_000 });
  opened.link.said.length = 0;
  return opened;
}

describe('backpressure', () => {
  const content = Buffer.alloc(1000);

  it('pauses above the pending bytes and resumes below half of them', async () => {
    const store = gatedStore();
    const { link, say } = await openSession(store.store, { pendingBytes: 9000 });
    store.shut();
    for (let id = 1; id <= 4; id++)
      say({ type: 'files', firstId: id, files: [inlineFile(`DC1/${id}`, content)] });
    expect(link.calls).toEqual([]);
    say({ type: 'files', firstId: 5, files: [inlineFile('DC1/5', content)] });
    say({ type: 'files', firstId: 6, files: [inlineFile('DC1/6', content)] });
    expect(link.calls).toEqual(['pause']);
    store.open();
    await vi.waitFor(() => expect(link.types()).toContain('ack'), 60_000);
    expect(link.calls).toEqual(['pause', 'resume']);
  });

  it('counts the chunks of uploads, and gives the room of refused ones back', async () => {
    const store = gatedStore();
    const { link, say } = await openSession(store.store, { pendingBytes: 9000 });
    store.shut();
    const entry = { path: parseRelPath('DC1/a'), size: 100_000, mtimeUs: 0 };
    say({ type: 'open', id: 1, resume: false, entry });
    for (let n = 0; n < 5; n++) say({ type: 'chunk', id: 1, offset: n * 1000, content });
    expect(link.calls).toEqual(['pause']);
    store.open();
    await vi.waitFor(() => expect(link.calls).toEqual(['pause', 'resume']), 60_000);
  });

  it('bounds uploads that were opened and cancelled faster than the store lets go of them', async () => {
    const store = gatedStore();
    const held = Promise.withResolvers<void>();
    const begin = store.store.begin.bind(store.store);
    vi.spyOn(store.store, 'begin').mockImplementation(async (file, options) => {
      await held.promise;
      return begin(file, options);
    });
    const { link, say } = await openSession(store.store);
    let id = 1;
    while (link.calls.length === 0 && id < 1000) {
      const entry = { path: parseRelPath(`DC1/f${id}`), size: 10, mtimeUs: 0 };
      say({ type: 'open', id, resume: false, entry });
      say({ type: 'cancel', id: id++, keep: false });
    }
    expect(link.calls).toEqual(['pause']);
    expect(id).toBeLessThan(200);
    held.resolve();
    await vi.waitFor(() => expect(link.calls).toEqual(['pause', 'resume']), 60_000);
  });

  it('pauses while the sender does not read its answers', async () => {
    const { link, say } = await openSession(gatedStore().store, { outgoingBytes: 500 });
    link.flushing = false;
    for (let id = 1; id <= 10; id++) say({ type: 'files', firstId: id, files: [inlineFile('shallow', 'x')] });
    await vi.waitFor(() => expect(link.types()).toHaveLength(10), 60_000);
    expect(link.calls).toEqual(['pause']);
    link.flush();
    expect(link.calls).toEqual(['pause', 'resume']);
  });

  it('sends one page of a listing after the other has left', async () => {
    const store = gatedStore();
    const { link, say } = await openSession(store.store);
    for (let batch = 0; batch < 3; batch++) {
      const files = Array.from({ length: 256 }, (_, i) => inlineFile(`DC1/${batch}-${i}`, ''));
      say({ type: 'files', firstId: 1 + batch * 256, files });
    }
    await vi.waitFor(() => expect(store.paths()).toHaveLength(768), 60_000);
    await vi.waitFor(() => expect(link.types()).toContain('ack'), 60_000);
    link.said.length = 0;
    link.flushing = false;
    say({ type: 'list', request: 1, prefix: '' });
    await vi.waitFor(() => expect(link.types()).toEqual(['listed']), 60_000);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(link.types()).toEqual(['listed']);
    link.flush();
    await vi.waitFor(() => expect(link.types()).toEqual(['listed', 'listed', 'listed']), 60_000);
  });
});

describe('a file in flight', () => {
  const entry = { path: parseRelPath('DC1/a'), size: 10, mtimeUs: 0 };
  const two = [inlineFile('DC1/b', 'b'), inlineFile('DC1/c', 'c')];

  it('counts once, whether refused or cancelled or both', async () => {
    const { link, say } = await openSession(gatedStore().store, { filesInFlight: 1 });
    say({ type: 'open', id: 1, resume: false, entry });
    say({ type: 'cancel', id: 1, keep: false });
    say({ type: 'open', id: 2, resume: false, entry: { ...entry, path: parseRelPath('shallow') } });
    await vi.waitFor(() => expect(link.types()).toEqual(['refused']), 60_000);
    say({ type: 'cancel', id: 2, keep: false });
    say({ type: 'files', firstId: 3, files: two });
    expect(link.calls).toEqual(['close 4400']);
  });

  it('that was cancelled is not refused when it fails later', async () => {
    const { link, say } = await openSession(gatedStore().store, { filesInFlight: 2 });
    say({ type: 'open', id: 1, resume: false, entry: { ...entry, path: parseRelPath('shallow') } });
    say({ type: 'cancel', id: 1, keep: false });
    await new Promise((resolve) => setImmediate(resolve));
    say({ type: 'files', firstId: 2, files: two });
    await vi.waitFor(() => expect(link.types()).toEqual(['ack']), 60_000);
  });
});

describe('the end of a session', () => {
  it('waits for commits under way, and says nothing any more', async () => {
    const store = gatedStore();
    const { session, link, say } = await openSession(store.store);
    store.shut();
    say({ type: 'files', firstId: 1, files: [inlineFile('DC1/a', 'a')] });
    let ended = false;
    const end = session.end().then(() => (ended = true));
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(ended).toBe(false);
    store.open();
    await end;
    expect(store.paths()).toEqual(['d/DC1/a']);
    expect(link.said).toEqual([]);
    expect(link.calls).toEqual([]);
  });

  it('is not held up by a listing that nobody reads', async () => {
    const store = gatedStore();
    const { session, link, say } = await openSession(store.store);
    const files = Array.from({ length: 256 }, (_, i) => inlineFile(`DC1/${i}`, ''));
    say({ type: 'files', firstId: 1, files });
    say({ type: 'files', firstId: 257, files: [inlineFile('DC1/more', '')] });
    await vi.waitFor(() => expect(link.types()).toContain('ack'), 60_000);
    link.flushing = false;
    say({ type: 'list', request: 1, prefix: '' });
    await vi.waitFor(() => expect(link.types()).toContain('listed'), 60_000);
    await session.end();
    expect(link.types().filter((type) => type === 'listed')).toHaveLength(1);
  });

  it('by shutdown says the ACKs of what was being committed, then closes', async () => {
    const store = gatedStore();
    const { session, link, say } = await openSession(store.store);
    store.shut();
    say({ type: 'files', firstId: 1, files: [inlineFile('DC1/a', 'a')] });
    const entry = { path: parseRelPath('DC1/b'), size: 4, mtimeUs: 0 };
    say({ type: 'open', id: 2, resume: false, entry });
    say({ type: 'chunk', id: 2, offset: 0, content: Buffer.from('half') });
    say({ type: 'end', id: 2, digest: digestOf('xxh64', Buffer.from('half')) });
    const shutdown = session.shutdown();
    say({ type: 'files', firstId: 3, files: [inlineFile('DC1/late', 'a')] });
    expect(link.calls).toEqual([]);
    store.open();
    await shutdown;
    expect(link.said).toEqual([{ type: 'ack', ranges: [{ first: 1, last: 2 }] }]);
    expect(link.calls).toEqual(['close 1001']);
    expect(store.paths()).toEqual(['d/DC1/a', 'd/DC1/b']);
  });
});

describe('a session that is closed for a broken rule', () => {
  it('has said the ACKs of what is durable', async () => {
    const store = gatedStore();
    const { session, link, say } = await openSession(store.store);
    say({ type: 'files', firstId: 1, files: [inlineFile('DC1/a', 'a')] });
    // Not as long as a turn of the event loop, after which the ACK would go out by itself.
    while (store.paths().length === 0) await Promise.resolve();
    for (let step = 0; step < 20; step++) await Promise.resolve();
    expect(link.said).toEqual([]);
    session.receive(Buffer.of(0x42));
    expect(link.said).toEqual([{ type: 'ack', ranges: [{ first: 1, last: 1 }] }]);
    expect(link.calls).toEqual(['close 4400']);
  });
});

describe('ranges of an ACK', () => {
  it('hold each id once, in order, and are as few as can be', () => {
    expect(rangesOf([5, 1, 2, 9, 3, 8])).toEqual([
      { first: 1, last: 3 },
      { first: 5, last: 5 },
      { first: 8, last: 9 },
    ]);
  });
});

describe('a session fed with nonsense', () => {
  const messages = fc.array(
    fc.oneof(
      { weight: 4, arbitrary: senderMessages('xxh64').map(encode) },
      { weight: 1, arbitrary: bytes(0, 60) },
    ),
    { maxLength: 20 },
  );

  it('closes at most once, has no fault, stays in its folder and comes to an end', async () => {
    await fc.assert(
      fc.asyncProperty(messages, async (messages) => {
        const store = gatedStore();
        const { session, link, log } = await openSession(store.store);
        for (const message of messages) session.receive(message);
        await session.end();
        expect(link.calls.filter((call) => call !== 'close 4400')).toEqual([]);
        expect(link.calls.length).toBeLessThanOrEqual(1);
        expect(log.at('error')).toEqual([]);
        expect(store.paths().filter((path) => !path.startsWith('d/'))).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});
