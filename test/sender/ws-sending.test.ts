import { beforeEach, describe, expect, it, vi } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import type { FileEntry } from '../../src/model/file-entry.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import type { SenderMessage } from '../../src/protocol/messages.ts';
import type { SourceFile } from '../../src/sender/target.ts';
import { allDay } from '../../src/flow/bandwidth.ts';
import { createRateLimiter } from '../../src/flow/rate-limiter.ts';
import { acknowledge, type Script } from './fake-receiver.ts';
import { QUICK, scripted as start, usingForTest } from './receiver-fixture.ts';
import { noise, SourceFolder } from './source-folder.ts';

let folder: SourceFolder;

beforeEach(() => {
  folder = usingForTest(new SourceFolder());
});

const writeMany = (count: number, size = 10): SourceFile[] =>
  Array.from({ length: count }, (_, i) => folder.write(`DC1/${i}`, noise(size, i)));

/** Acknowledges the first file when its seal has been asked for. */
const KEPT_AT_SEAL: Script = {
  sealsBehind: true,
  message: ({ say }, message) => {
    if (message.type !== 'seal') return;
    say({ type: 'ack', ranges: [{ first: 1, last: 1 }] });
    say({ type: 'sealed', request: message.request });
  },
};

describe('ws target: sending', () => {
  it('says HELLO first, then small files together, without waiting for answers', async () => {
    const { receiver, target } = await start({ message: acknowledge });
    await Promise.all(writeMany(90).map((file) => target.put(file)));
    const [hello, ...rest] = receiver.heard;
    expect(hello).toMatchObject({
      type: 'hello',
      version: 1,
      device: 'edge1',
      mode: 'write',
      digest: 'xxh64',
    });
    const batches = rest.filter((message) => message.type === 'files');
    expect(batches.reduce((sum, { files }) => sum + files.length, 0)).toBe(90);
    expect(batches.length).toBeLessThan(10);
    expect(batches[0]?.firstId).toBe(1);
  });

  it('keeps within the limits of WELCOME', async () => {
    const unanswered: SenderMessage[] = [];
    const { receiver, target } = await start({
      limits: { filesInFlight: 10, openUploads: 2 },
      message: (_, message) => unanswered.push(message),
    });
    const puts = [
      ...writeMany(30),
      ...Array.from({ length: 5 }, (_, i) => folder.write(`DC2/${i}`, noise(99_999))),
    ];
    const all = Promise.allSettled(puts.map((file) => target.put(file)));
    await vi.waitFor(() => expect(inFlight(unanswered)).toBeGreaterThanOrEqual(8), 60_000);
    await target.look([parseRelPath('DC1/0')], { signal: AbortSignal.timeout(50) }).catch(() => {});
    expect(inFlight(unanswered)).toBeLessThanOrEqual(10);
    expect(receiver.sessions).toHaveLength(1);
    await target[Symbol.asyncDispose]();
    await all;
  });

  it('never has more uploads open than allowed, and more than one where it is', async () => {
    let now = 0;
    let most = 0;
    const { target } = await start({
      limits: { openUploads: 2 },
      message: (session, message) => {
        if (message.type === 'open') most = Math.max(most, ++now);
        if (message.type === 'end') now--;
        acknowledge(session, message);
      },
    });
    const files = Array.from({ length: 12 }, (_, i) => folder.write(`DC1/${i}`, noise(700_000)));
    await Promise.all(files.map((file) => target.put(file)));
    expect(most).toBe(2);
  });

  it('counts a file that is being opened as in flight', async () => {
    const { receiver, target } = await start({ limits: { filesInFlight: 2 } });
    const hold = Promise.withResolvers<void>();
    const large = folder.write('DC1/large', noise(100_000));
    const slow: SourceFile = {
      entry: large.entry,
      readWhole: () => large.readWhole(),
      letGo: () => {},
      open: () => hold.promise.then(() => large.open()),
    };
    const puts = [slow, ...writeMany(5)].map((file) => target.put(file, { priority: 'live' }));
    const all = Promise.allSettled(puts);
    await vi.waitFor(() => expect(inFlight(receiver.heard)).toBe(1), 60_000);
    hold.resolve();
    await vi.waitFor(() => expect(receiver.heard.at(-1)?.type).toBe('end'), 60_000);
    expect(inFlight(receiver.heard)).toBe(2);
    await target[Symbol.asyncDispose]();
    await all;
  });

  it('keeps at most the allowed requests open, and asks them all', async () => {
    let openRequests = 0;
    let most = 0;
    const { target } = await start({
      limits: { requests: 3 },
      message: ({ say }, message) => {
        if (message.type !== 'look') return;
        most = Math.max(most, ++openRequests);
        setImmediate(() => {
          openRequests--;
          say({ type: 'looked', request: message.request, files: message.paths.map(() => undefined) });
        });
      },
    });
    const paths = Array.from({ length: 3000 }, (_, i) => parseRelPath(`DC1/${i}`));
    expect(await target.look(paths)).toHaveLength(3000);
    expect(most).toBe(3);
  });

  it('sends only what is missing of a large file, and the digest of the whole', async () => {
    const content = noise(6_000_000);
    const { receiver, target } = await start({
      message: ({ say }, message) => {
        if (message.type === 'open') say({ type: 'offset', id: message.id, offset: 5_500_000 });
        if (message.type === 'end') say({ type: 'ack', ranges: [{ first: message.id, last: message.id }] });
      },
    });
    const receipt = await target.put(folder.write('DC1/a', content));
    expect(receipt.sentBytes).toBe(500_000);
    const chunks = receiver.heard.filter((message) => message.type === 'chunk');
    expect(chunks[0]?.offset).toBe(5_500_000);
    expect(Buffer.concat(chunks.map((chunk) => chunk.content))).toEqual(content.subarray(5_500_000));
    expect(receiver.heard.find((message) => message.type === 'end')?.digest).toEqual(
      digestOf('xxh64', content),
    );
  });

  it('sends END at once when everything is there already', async () => {
    const { receiver, target } = await start({
      message: ({ say }, message) => {
        if (message.type === 'open') say({ type: 'offset', id: message.id, offset: message.entry.size });
        if (message.type === 'end') say({ type: 'ack', ranges: [{ first: message.id, last: message.id }] });
      },
    });
    expect((await target.put(folder.write('DC1/a', noise(5_000_000)))).sentBytes).toBe(0);
    expect(receiver.heard.some((message) => message.type === 'chunk')).toBe(false);
  });

  it('stops an upload that was refused, says CANCEL, and goes on with others', async () => {
    const { receiver, target } = await start({
      message: (session, message) => {
        const refused = message.type === 'chunk' && message.id === 1;
        if (refused && message.offset === 0)
          session.say({ type: 'refused', id: 1, retryable: false, code: 'FILE_TOO_LARGE', message: 'no' });
        acknowledge(session, message);
      },
    });
    const large = target.put(folder.write('DC1/a', noise(30_000_000)));
    await expect(large).rejects.toMatchObject({ code: 'FILE_TOO_LARGE', message: 'no', path: 'DC1/a' });
    await target.put(folder.write('DC1/b', noise(100_000)));
    expect(receiver.heard).toContainEqual({ type: 'cancel', id: 1, keep: false });
    expect(receiver.heard.some((message) => message.type === 'end' && message.id === 1)).toBe(false);
    expect(receiver.sessions).toHaveLength(1);
  });

  it('takes a code it does not know for STORE_FAILED', async () => {
    const { target } = await start({
      message: ({ say }, message) => {
        if (message.type === 'files')
          say({ type: 'refused', id: message.firstId, retryable: false, code: 'NEWER', message: 'x' });
      },
    });
    await expect(target.put(folder.write('DC1/a', ''))).rejects.toMatchObject({ code: 'STORE_FAILED' });
  });

  it('ends an upload whose file the caller took back, keeping its bytes', async () => {
    const aborts = new AbortController();
    const { receiver, target } = await start({
      message: (session, message) => {
        if (message.type === 'chunk') aborts.abort(new Error('not needed'));
        acknowledge(session, message);
      },
    });
    const put = target.put(folder.write('DC1/a', noise(50_000_000)), { signal: aborts.signal });
    await expect(put).rejects.toThrow('not needed');
    await vi.waitFor(
      () => expect(receiver.heard).toContainEqual({ type: 'cancel', id: 1, keep: true }),
      60_000,
    );
  });

  it('seals by one request after the marker is kept', async () => {
    const { receiver, target } = await start({
      message: (session, message) => {
        if (message.type === 'seal') session.say({ type: 'sealed', request: message.request });
        else acknowledge(session, message);
      },
    });
    await target.seal(parseRelPath('DC1'), folder.write('DC1/finished.parse', ''));
    expect(receiver.heard.map((message) => message.type)).toEqual(['hello', 'files', 'seal']);
    expect(receiver.heard.at(-1)).not.toHaveProperty('behind');
  });

  it('seals right behind the marker where the receiver waits for that by itself', async () => {
    const { receiver, target } = await start(KEPT_AT_SEAL);
    await target.seal(parseRelPath('DC1'), folder.write('DC1/finished.parse', ''));
    expect(receiver.heard.map((message) => message.type)).toEqual(['hello', 'files', 'seal']);
    expect(receiver.heard.at(-1)).toMatchObject({ behind: 1 });
  });

  it('seals right behind a marker that is too large for FILES', async () => {
    const { receiver, target } = await start(KEPT_AT_SEAL);
    await target.seal(parseRelPath('DC1'), folder.write('DC1/finished.parse', noise(99_999)));
    expect(receiver.heard.slice(-2)).toMatchObject([{ type: 'end' }, { type: 'seal', behind: 1 }]);
  });

  it('puts a list together from its pages', async () => {
    const { target } = await start({
      message: ({ say }, message) => {
        if (message.type !== 'list') return;
        const { request } = message;
        say({ type: 'listed', request, last: false, files: [entry(1), entry(2)] });
        say({ type: 'listed', request, last: false, files: [] });
        say({ type: 'listed', request, last: true, files: [entry(3)] });
      },
    });
    expect(await collect(target.list(''))).toEqual([entry(1), entry(2), entry(3)]);
  });

  it('keeps to the rate limit, in small messages', async () => {
    const rate = 1_000_000;
    const { receiver, target } = await start({ message: acknowledge }, QUICK, {
      limiter: createRateLimiter(() => allDay(rate)),
    });
    const began = performance.now();
    await Promise.all(
      [folder.write('DC1/a', noise(300_000)), ...writeMany(10, 30_000)].map((file) => target.put(file)),
    );
    const seconds = (performance.now() - began) / 1000;
    // All but the burst and the last message must have been waited for.
    expect(seconds).toBeGreaterThan((600_000 - 2 * 100_000 - 64_000) / rate);
    const chunks = receiver.heard.filter((message) => message.type === 'chunk');
    expect(Math.max(...chunks.map(({ content }) => content.length))).toBeLessThanOrEqual(100_000);
  });

  it('takes no files when it is for reading', async () => {
    const { target } = await start({}, QUICK, { mode: 'read' });
    await expect(target.put(folder.write('DC1/a', 'a'))).rejects.toMatchObject({ code: 'INTERNAL' });
  });
});

async function collect(entries: AsyncIterable<FileEntry>): Promise<FileEntry[]> {
  const collected: FileEntry[] = [];
  for await (const entry of entries) collected.push(entry);
  return collected;
}

function entry(i: number): FileEntry {
  return { path: parseRelPath(`DC1/${i}`), size: i, mtimeUs: i };
}

/** Ids given out, where nothing was answered. */
function inFlight(heard: readonly SenderMessage[]): number {
  return heard.reduce((count, message) => {
    if (message.type === 'files') return count + message.files.length;
    return message.type === 'open' ? count + 1 : count;
  }, 0);
}
