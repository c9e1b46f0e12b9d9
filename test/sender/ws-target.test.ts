import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { digestOf } from '../../src/model/digest.ts';
import type { FileEntry } from '../../src/model/file-entry.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import type { SenderMessage } from '../../src/protocol/messages.ts';
import type { RetryPolicy } from '../../src/sender/retry.ts';
import type { SourceFile, Target } from '../../src/sender/target.ts';
import type { LinkState, WsTargetOptions } from '../../src/sender/ws/ws-target.ts';
import { createRateLimiter } from '../../src/sender/rate-limiter.ts';
import { acknowledge, fakeReceiver, type FakeReceiver, type Script, welcome } from './fake-receiver.ts';
import { send } from './receiver-fixture.ts';
import { noise, SourceFolder } from './source-folder.ts';

const QUICK: RetryPolicy = { giveUpAfterMs: undefined, firstDelayMs: 2, longestDelayMs: 20 };
/** Its longest wait never ends within a test. */
const PATIENT: RetryPolicy = { giveUpAfterMs: undefined, firstDelayMs: 2, longestDelayMs: 3_600_000 };

describe('ws target against a scripted receiver', () => {
  let folder: SourceFolder;
  const open: AsyncDisposable[] = [];

  beforeEach(() => {
    folder = new SourceFolder();
  });

  afterEach(async () => {
    for (const resource of open.splice(0).reverse()) await resource[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  async function start(
    script: Script,
    retry: RetryPolicy = QUICK,
    options: Partial<WsTargetOptions> = {},
  ): Promise<{ receiver: FakeReceiver; target: Target }> {
    const receiver = await fakeReceiver(script);
    open.push(receiver);
    const target = send(receiver.url, retry, options);
    open.push(target);
    return { receiver, target };
  }

  const writeMany = (count: number, size = 10): SourceFile[] =>
    Array.from({ length: count }, (_, i) => folder.write(`DC1/${i}`, noise(size, i)));

  describe('sending', () => {
    it('says HELLO first, then small files together, without waiting for answers', async () => {
      const { receiver, target } = await start({ message: acknowledge });
      await Promise.all(writeMany(90).map((file) => target.put(file)));
      const [hello, ...rest] = receiver.heard;
      expect(hello).toMatchObject({ type: 'hello', version: 1, device: 'edge1', mode: 'write', digest: 'xxh64' });
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
      const puts = [...writeMany(30), ...Array.from({ length: 5 }, (_, i) => folder.write(`DC2/${i}`, noise(99_999)))];
      const all = Promise.allSettled(puts.map((file) => target.put(file)));
      await vi.waitFor(() => expect(inFlight(unanswered)).toBeGreaterThanOrEqual(8));
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
      expect(receiver.heard.find((message) => message.type === 'end')?.digest).toEqual(digestOf('xxh64', content));
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
      await vi.waitFor(() => expect(receiver.heard).toContainEqual({ type: 'cancel', id: 1, keep: true }));
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
    });

    it('puts a list together from its pages', async () => {
      const entry = (i: number) => ({ path: parseRelPath(`DC1/${i}`), size: i, mtimeUs: i });
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
        limiter: createRateLimiter(rate),
      });
      const began = performance.now();
      await Promise.all([folder.write('DC1/a', noise(300_000)), ...writeMany(10, 30_000)].map((file) => target.put(file)));
      const seconds = (performance.now() - began) / 1000;
      // All but the burst and the last message must have been waited for.
      expect(seconds).toBeGreaterThan((600_000 - 2 * 100_000 - 64_000) / rate);
      for (const message of receiver.heard)
        if (message.type === 'chunk') expect(message.content.length).toBeLessThanOrEqual(100_000);
    });
  });

  describe('trying again', () => {
    it('sends again only what was not acknowledged, in its old order', async () => {
      const { receiver, target } = await start({
        limits: { filesInFlight: 1000 },
        message: (session, message) => {
          if (session.number > 1) return acknowledge(session, message);
          if (message.type !== 'files' || message.firstId > 1) return;
          session.say({ type: 'ack', ranges: [{ first: 1, last: 3 }] });
          session.socket.close(1001);
        },
      });
      const receipts = await Promise.all(writeMany(20).map((file) => target.put(file)));
      expect(receiver.sessions).toHaveLength(2);
      const again = pathsOf(receiver.sessions[1]?.heard ?? []);
      expect(again).toEqual(Array.from({ length: 17 }, (_, i) => `DC1/${i + 3}`));
      expect(receipts[0]?.sentBytes).toBe(10);
      expect(receipts[5]?.sentBytes).toBe(20);
    });

    it('asks requests again that had no answer', async () => {
      const { target } = await start({
        message: ({ number, say, socket }, message) => {
          if (message.type !== 'list') return;
          const { request } = message;
          const file = { path: parseRelPath(`DC1/${number}`), size: 1, mtimeUs: 1 };
          say({ type: 'listed', request, last: number > 1, files: [file] });
          if (number === 1) socket.terminate();
        },
      });
      const listed = await collect(target.list(''));
      expect(listed.map((entry) => entry.path)).toEqual(['DC1/2']);
    });

    it('tries a refused request again where that may help', async () => {
      let looks = 0;
      const { target } = await start({
        message: ({ say }, message) => {
          if (message.type !== 'look') return;
          const { request } = message;
          if (++looks < 3) say({ type: 'failed', request, retryable: true, code: 'STORE_FAILED', message: 'io' });
          else say({ type: 'looked', request, files: [undefined] });
        },
      });
      expect(await target.look([parseRelPath('DC1/a')])).toEqual([undefined]);
      expect(looks).toBe(3);
    });

    it('rejects a request that failed for good', async () => {
      const { target } = await start({
        message: ({ say }, message) => {
          if (message.type === 'seal')
            say({ type: 'failed', request: message.request, retryable: false, code: 'STORE_MISSING', message: 'x' });
        },
      });
      await expect(target.seal(parseRelPath('DC1'), undefined)).rejects.toMatchObject({ code: 'STORE_MISSING' });
    });

    it('tries a wrong digest again, but not for ever', async () => {
      let tries = 0;
      const { target } = await start({
        message: ({ say }, message) => {
          if (message.type !== 'files') return;
          tries++;
          const refusal = { retryable: true, code: 'DIGEST_MISMATCH', message: 'x' };
          say({ type: 'refused', id: message.firstId, ...refusal });
        },
      });
      await expect(target.put(folder.write('DC1/a', 'a'))).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
      expect(tries).toBe(3);
    });

    it('waits while the target is full, asking with one file at a time', async () => {
      let full = true;
      let refusals = 0;
      const { receiver, target } = await start({
        message: (session, message) => {
          if (!full || message.type !== 'files') return acknowledge(session, message);
          for (const at of message.files.keys()) {
            refusals++;
            const refusal = { retryable: true, code: 'STORE_FULL', message: 'full' };
            session.say({ type: 'refused', id: message.firstId + at, ...refusal });
          }
        },
      });
      const first = writeMany(5);
      const puts = first.map((file) => target.put(file));
      await vi.waitFor(() => expect(refusals).toBeGreaterThanOrEqual(8));
      const probes = receiver.heard.filter((message) => message.type === 'files').slice(1);
      for (const probe of probes) expect(probe.files).toHaveLength(1);
      full = false;
      await Promise.all(puts);
    });

    it('gives up on a full target with STORE_FULL', async () => {
      const { target } = await start(
        {
          message: ({ say }, message) => {
            if (message.type !== 'files') return;
            for (const at of message.files.keys()) {
              const refusal = { retryable: true, code: 'STORE_FULL', message: 'full' };
              say({ type: 'refused', id: message.firstId + at, ...refusal });
            }
          },
        },
        { ...QUICK, giveUpAfterMs: 60 },
      );
      for (const outcome of await Promise.allSettled(writeMany(3).map((file) => target.put(file))))
        expect(outcome).toMatchObject({ reason: { code: 'STORE_FULL' } });
    });

    it('gives up on a receiver that is not there, and tries again when asked again', async () => {
      const receiver = await fakeReceiver({ message: acknowledge });
      const port = new URL(receiver.url).port;
      await receiver[Symbol.asyncDispose]();
      const target = send(`ws://127.0.0.1:${port}`, { ...QUICK, giveUpAfterMs: 50 });
      open.push(target);
      const file = folder.write('DC1/a', 'a');
      const gaveUp = { code: 'UNREACHABLE', cause: { code: 'UNREACHABLE', cause: { code: 'ECONNREFUSED' } } };
      await expect(target.put(file)).rejects.toMatchObject(gaveUp);
      await expect(target.put(file)).rejects.toMatchObject(gaveUp);
      await expect(target.look([file.entry.path])).rejects.toMatchObject({ code: 'UNREACHABLE' });
    });

    it('does not give up while something comes further on each link', async () => {
      const { receiver, target } = await start(
        {
          message: (session, message) => {
            if (message.type !== 'files') return;
            session.say({ type: 'ack', ranges: [{ first: message.firstId, last: message.firstId }] });
            setTimeout(() => session.socket.terminate(), 5);
          },
        },
        { ...QUICK, giveUpAfterMs: 100 },
      );
      await Promise.all(writeMany(30).map((file) => target.put(file)));
      expect(receiver.sessions.length).toBeGreaterThanOrEqual(30);
    });

    it('gives up on links that stand but bring nothing further', async () => {
      const { target } = await start(
        { message: ({ socket }) => socket.terminate() },
        { ...QUICK, giveUpAfterMs: 60 },
      );
      await expect(target.put(folder.write('DC1/a', 'a'))).rejects.toMatchObject({
        code: 'UNREACHABLE',
        cause: { code: 'LINK_LOST' },
      });
    });
  });

  describe('refusals', () => {
    it.each([
      [401, 'AUTH_REFUSED'],
      [403, 'AUTH_REFUSED'],
      [404, 'UNREACHABLE'],
      [426, 'VERSION_UNSUPPORTED'],
    ])('takes status %i for final', async (status, code) => {
      const states: LinkState[] = [];
      const { target } = await start({ status: () => status }, PATIENT, {
        token: async () => 'secret',
        onLink: (state) => states.push(state),
      });
      const put = target.put(folder.write('DC1/a', 'a'));
      await expect(put).rejects.toMatchObject({ code, retryable: false });
      await expect(target.look([parseRelPath('DC1/a')])).rejects.toMatchObject({ code });
      expect(states).toEqual(['connecting', 'lost']);
    });

    it('tries again when the receiver is busy, with a fresh token each time', async () => {
      const tokens: unknown[] = [];
      let count = 0;
      const { target } = await start(
        {
          message: acknowledge,
          status: (request) => (tokens.push(request.headers.authorization) < 3 ? 503 : undefined),
        },
        QUICK,
        { token: async () => `t${++count}` },
      );
      await target.put(folder.write('DC1/a', 'a'));
      expect(tokens).toEqual(['Bearer t1', 'Bearer t2', 'Bearer t3']);
    });

    it.each([
      [4401, 'AUTH_REFUSED'],
      [4403, 'AUTH_REFUSED'],
      [4426, 'VERSION_UNSUPPORTED'],
    ])('takes a close with %i for final', async (close, code) => {
      const { receiver, target } = await start({ message: ({ socket }) => socket.close(close, 'no') }, PATIENT);
      await expect(target.put(folder.write('DC1/a', 'a'))).rejects.toMatchObject({ code });
      expect(receiver.sessions).toHaveLength(1);
    });

    it('gives way to a newer session at once when it may give up', async () => {
      const { target } = await start({ message: ({ socket }) => socket.close(4409, 'newer') }, { ...QUICK, giveUpAfterMs: 60_000 });
      await expect(target.put(folder.write('DC1/a', 'a'))).rejects.toMatchObject({ code: 'FENCED' });
    });

    it('waits its longest after a newer session when it never gives up', async () => {
      const lost: (string | undefined)[] = [];
      const { receiver } = await start({ hello: ({ socket }) => socket.close(4409) }, PATIENT, {
        onLink: (state, error) => state === 'lost' && lost.push(error?.code),
      });
      await vi.waitFor(() => expect(lost).toEqual(['FENCED']));
      expect(receiver.sessions).toHaveLength(1);
    });

    it.each<[string, Script['message']]>([
      ['a malformed message', ({ socket }) => socket.send(Buffer.of(0x82, 0xff))],
      ['an unknown message', ({ socket }) => socket.send(Buffer.of(0x60))],
      ['a text message', ({ socket }) => socket.send('hello')],
      ['an ACK of an id that was never sent', ({ say }) => say({ type: 'ack', ranges: [{ first: 1, last: 0xffff_ffff }] })],
      ['a second WELCOME', ({ say }) => say(welcome('edge1'))],
      ['an OFFSET that nobody asked for', ({ say }) => say({ type: 'offset', id: 1, offset: 0 })],
      ['an answer that nobody asked for', ({ say }) => say({ type: 'sealed', request: 7 })],
      ['a refusal of an id to come', ({ say }) => say({ type: 'refused', id: 99, retryable: false, code: 'X', message: '' })],
      ['a message that is too large', ({ socket }) => socket.send(Buffer.alloc(2 * 1024 * 1024 + 1))],
    ])('ends the session on %s, and waits its longest', async (_, message) => {
      const lost: (string | undefined)[] = [];
      const { receiver, target } = await start({ message }, PATIENT, {
        onLink: (state, error) => state === 'lost' && lost.push(error?.code),
      });
      const put = target.put(folder.write('DC1/a', 'a'));
      put.catch(() => {});
      await vi.waitFor(() => expect(lost).toEqual(['PROTOCOL']));
      expect(receiver.sessions).toHaveLength(1);
      await target[Symbol.asyncDispose]();
      await expect(put).rejects.toMatchObject({ code: 'INTERRUPTED' });
    });

    it('comes back after a broken rule', async () => {
      const { receiver, target } = await start({
        message: (session, message) => {
          if (session.number === 1) session.socket.send('broken');
          else acknowledge(session, message);
        },
      });
      await target.put(folder.write('DC1/a', 'a'));
      expect(receiver.sessions).toHaveLength(2);
    });

    it('does not take a WELCOME for another device', async () => {
      const lost: (string | undefined)[] = [];
      await start({ hello: ({ say }) => say(welcome('edge2')) }, PATIENT, {
        onLink: (state, error) => state === 'lost' && lost.push(error?.code),
      });
      await vi.waitFor(() => expect(lost).toEqual(['PROTOCOL']));
    });

    it('hears what is said together with WELCOME', async () => {
      const lost: (string | undefined)[] = [];
      const script: Script = {
        hello: ({ say, socket }) => {
          say(welcome('edge1'));
          socket.send('broken');
        },
      };
      await start(script, PATIENT, { onLink: (state, error) => state === 'lost' && lost.push(error?.code) });
      await vi.waitFor(() => expect(lost).toEqual(['PROTOCOL']));
    });
  });

  describe('liveness', () => {
    it('says KEEPALIVE when it has nothing else to say', async () => {
      const { receiver } = await start({}, QUICK, { deadlines: { keepaliveMs: 10 } });
      await vi.waitFor(() => expect(receiver.heard.at(-1)).toEqual({ type: 'keepalive' }));
    });

    it('leaves a receiver that says nothing for too long', async () => {
      const { receiver, target } = await start(
        {
          message: (session, message) => {
            if (session.number > 1) acknowledge(session, message);
          },
        },
        QUICK,
        { deadlines: { silenceMs: 50 } },
      );
      await target.put(folder.write('DC1/a', 'a'));
      expect(receiver.sessions.length).toBeGreaterThan(1);
    });

    it('leaves one that does not say WELCOME', async () => {
      const lost: (string | undefined)[] = [];
      await start({ hello: () => {} }, PATIENT, {
        deadlines: { welcomeMs: 20 },
        onLink: (state, error) => state === 'lost' && lost.push(error?.code),
      });
      await vi.waitFor(() => expect(lost[0]).toBe('UNREACHABLE'));
    });

    it('says goodbye with 1000 when it is disposed of', async () => {
      const { receiver, target } = await start({ message: acknowledge });
      await target.put(folder.write('DC1/a', 'a'));
      const codes: number[] = [];
      receiver.sessions[0]?.socket.on('close', (code) => codes.push(code));
      await target[Symbol.asyncDispose]();
      await vi.waitFor(() => expect(codes).toEqual([1000]));
    });

    it('ends with the reason of its signal', async () => {
      const aborts = new AbortController();
      const { target } = await start({}, QUICK, { signal: aborts.signal });
      const put = target.put(folder.write('DC1/a', 'a'));
      aborts.abort(new Error('second Ctrl-C'));
      await expect(put).rejects.toThrow('second Ctrl-C');
      await target[Symbol.asyncDispose]();
    });
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

function pathsOf(heard: readonly SenderMessage[]): string[] {
  return heard.flatMap((message) =>
    message.type === 'files' ? message.files.map(({ entry }): string => entry.path) : [],
  );
}

/** Ids given out, where nothing was answered. */
function inFlight(heard: readonly SenderMessage[]): number {
  return heard.reduce((count, message) => {
    if (message.type === 'files') return count + message.files.length;
    return message.type === 'open' ? count + 1 : count;
  }, 0);
}
