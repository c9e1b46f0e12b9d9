import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { FileEntry } from '../../src/model/file-entry.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import type { SenderMessage } from '../../src/protocol/messages.ts';
import type { SourceFile, Target } from '../../src/sender/target.ts';
import { acknowledge, type FakeSession, welcome } from './fake-receiver.ts';
import { QUICK, scripted as start, send, usingForTest } from './receiver-fixture.ts';
import { MemorySource } from './memory-source.ts';
import { noise, SourceFolder } from './source-folder.ts';

let folder: SourceFolder;

beforeEach(() => {
  folder = usingForTest(new SourceFolder());
});

const writeMany = (count: number, size = 10): SourceFile[] =>
  Array.from({ length: count }, (_, i) => folder.write(`DC1/${i}`, noise(size, i)));

describe('ws target: trying again', () => {
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

  it('sends a file again that was being opened when the link broke, and closes it each time', async () => {
    const hold = Promise.withResolvers<void>();
    const { receiver, target } = await start({
      message: (session, message) => {
        if (session.number > 1) return acknowledge(session, message);
        // Late enough that the sender has seen the end; right in either case.
        session.socket.on('close', () => setTimeout(hold.resolve, 50));
        session.socket.terminate();
      },
    });
    const large = new MemorySource('DC1/large', noise(100_000));
    let open = 0;
    const slow: SourceFile = {
      entry: large.entry,
      readWhole: () => large.readWhole(),
      letGo: () => {},
      open: async () => {
        open++;
        await hold.promise;
        const reader = await large.open();
        return { ...reader, [Symbol.asyncDispose]: async () => void open-- };
      },
    };
    await Promise.all([target.put(slow), target.put(folder.write('DC1/small', 'a'))]);
    expect(open).toBe(0);
    expect(receiver.sessions).toHaveLength(2);
  });

  it.each<[string, (session: FakeSession) => void]>([
    ['has to wait for another link', ({ socket }) => socket.terminate()],
    [
      'has to wait for room at the target',
      ({ say }) => say({ type: 'refused', id: 1, retryable: true, code: 'STORE_FULL', message: 'full' }),
    ],
  ])('lets go of a file that %s', async (_, fail) => {
    let tries = 0;
    const { target } = await start({
      message: (session, message) => {
        if (message.type !== 'files') return;
        if (++tries === 1) fail(session);
        else acknowledge(session, message);
      },
    });
    const source = new MemorySource('DC1/a', noise(10));
    const calls: string[] = [];
    vi.spyOn(source, 'letGo').mockImplementation(() => void calls.push('let go'));
    const readWhole = source.readWhole.bind(source);
    vi.spyOn(source, 'readWhole').mockImplementation(() => (calls.push('read'), readWhole()));
    await target.put(source);
    expect(calls).toEqual(['read', 'let go', 'read']);
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
        if (++looks < 3)
          say({ type: 'failed', request, retryable: true, code: 'STORE_FAILED', message: 'io' });
        else say({ type: 'looked', request, files: [undefined] });
      },
    });
    expect(await target.look([parseRelPath('DC1/a')])).toEqual([undefined]);
    expect(looks).toBe(3);
  });

  it('tells why it asks again, of lists and seals too', async () => {
    const told: string[] = [];
    const refused = new Set<string>();
    const { target } = await start(
      {
        message: ({ say }, message) => {
          if (message.type !== 'list' && message.type !== 'seal') return;
          const { type, request } = message;
          if (!refused.has(type))
            say({ type: 'failed', request, retryable: true, code: 'STORE_FAILED', message: type });
          else if (type === 'seal') say({ type: 'sealed', request });
          else say({ type: 'listed', request, files: [], last: true });
          refused.add(type);
        },
      },
      QUICK,
      { onRetry: ({ message }) => told.push(message) },
    );
    expect(await collect(target.list(parseRelPath('DC1')))).toEqual([]);
    await target.seal(parseRelPath('DC1'), undefined);
    expect(told).toEqual([expect.stringContaining('list'), expect.stringContaining('seal')]);
  });

  describe('a seal behind its marker', () => {
    const refusal = { retryable: true, code: 'STORE_FAILED', message: 'io' } as const;
    const ack = (id: number) => ({ type: 'ack', ranges: [{ first: id, last: id }] }) as const;
    const seal = (target: Target) => target.seal(parseRelPath('DC1'), folder.write('DC1/finished.parse', ''));

    it('goes again behind the next try of a marker that was refused', async () => {
      const told: string[] = [];
      const { receiver, target } = await start(
        {
          sealsBehind: true,
          message: ({ say }, message) => {
            if (message.type !== 'seal') return;
            const { request, behind = 0 } = message;
            if (behind < 3) {
              say({ type: 'refused', id: behind, ...refusal });
              say({ type: 'failed', request, ...refusal });
            } else {
              say(ack(behind));
              say({ type: 'sealed', request });
            }
          },
        },
        QUICK,
        { onRetry: ({ message }) => told.push(message) },
      );
      await seal(target);
      const [, ...heard] = receiver.heard;
      expect(heard).toMatchObject([1, 2, 3].flatMap((id) => [{ firstId: id }, { behind: id }]));
      expect(told).toHaveLength(2);
    });

    it('goes again behind it on another link, and alone where only the marker was acknowledged', async () => {
      const { receiver, target } = await start({
        sealsBehind: true,
        message: ({ number, socket, say }, message) => {
          if (message.type !== 'seal') return;
          if (number > 1)
            say(message.behind === undefined ? { type: 'sealed', request: message.request } : ack(1));
          if (number < 3) socket.close(1001);
        },
      });
      await seal(target);
      const seals = receiver.heard.filter(({ type }) => type === 'seal');
      expect(seals).toMatchObject([{ behind: 1 }, { behind: 1 }, { type: 'seal' }]);
      expect(seals[2]).not.toHaveProperty('behind');
    });

    it('waits for the marker where the next receiver is of an older version', async () => {
      const { receiver, target } = await start({
        hello: ({ number, say }) => say({ ...welcome('edge1'), ...(number === 1 && { sealsBehind: true }) }),
        message: (session, message) => {
          if (session.number > 1) acknowledge(session, message);
          if (message.type !== 'seal') return;
          if (session.number === 1) session.socket.close(1001);
          else session.say({ type: 'sealed', request: message.request });
        },
      });
      await seal(target);
      const [first, second] = receiver.sessions.map(({ heard }) => heard.at(-1));
      expect(first).toMatchObject({ type: 'seal', behind: 1 });
      expect(second).toMatchObject({ type: 'seal' });
      expect(second).not.toHaveProperty('behind');
    });

    it('counts for nothing before the ACK of its marker', async () => {
      const { receiver, target } = await start({
        sealsBehind: true,
        message: ({ number, say }, message) => {
          if (message.type !== 'seal') return;
          if (number > 1) say(ack(1));
          say({ type: 'sealed', request: message.request });
        },
      });
      await seal(target);
      expect(receiver.sessions).toHaveLength(2);
    });

    it.each([
      ['the marker is refused for good', [{ type: 'refused', id: 1, ...refusal, retryable: false }]],
      [
        'the seal is refused for good',
        [ack(1), { type: 'failed', request: 1, ...refusal, retryable: false }],
      ],
    ] as const)('rejects where %s', async (_, answers) => {
      const { target } = await start({
        sealsBehind: true,
        message: ({ say }, message) => {
          if (message.type === 'seal') for (const answer of answers) say(answer);
        },
      });
      await expect(seal(target)).rejects.toMatchObject({ code: 'STORE_FAILED' });
    });
  });

  it('rejects a request that failed for good', async () => {
    const { target } = await start({
      message: ({ say }, message) => {
        if (message.type === 'seal')
          say({
            type: 'failed',
            request: message.request,
            retryable: false,
            code: 'STORE_MISSING',
            message: 'x',
          });
      },
    });
    await expect(target.seal(parseRelPath('DC1'), undefined)).rejects.toMatchObject({
      code: 'STORE_MISSING',
    });
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
    const first = writeMany(5);
    const probes: number[] = [];
    const { target } = await start({
      message: (session, message) => {
        if (!full || message.type !== 'files') return acknowledge(session, message);
        // Before that it need not have learnt that the target is full.
        if (refusals >= first.length) probes.push(message.files.length);
        for (const at of message.files.keys()) {
          refusals++;
          const refusal = { retryable: true, code: 'STORE_FULL', message: 'full' };
          session.say({ type: 'refused', id: message.firstId + at, ...refusal });
        }
      },
    });
    const puts = first.map((file) => target.put(file));
    await vi.waitFor(() => expect(probes.length).toBeGreaterThanOrEqual(3), 60_000);
    for (const files of probes) expect(files).toBe(1);
    full = false;
    await Promise.all(puts);
  });

  it('is stalled without a link and while all waits for room, and not while a file is in flight', async () => {
    let kept = 0;
    const { receiver, target } = await start(
      {
        message: ({ say }, message) => {
          if (message.type !== 'files') return;
          const id = message.firstId;
          // The first one is left in flight.
          if (kept++ > 0) say({ type: 'refused', id, retryable: true, code: 'STORE_FULL', message: 'full' });
        },
      },
      { giveUpAfterMs: undefined, firstDelayMs: 3_600_000, longestDelayMs: 3_600_000 },
    );
    expect(target.stalled).toBe(true);
    const first = target.put(folder.write('DC1/a', 'a'));
    first.catch(() => {});
    await vi.waitFor(() => expect(kept).toBe(1), 60_000);
    expect(target.stalled).toBe(false);
    receiver.sessions[0]?.say({ type: 'ack', ranges: [{ first: 1, last: 1 }] });
    await first;
    const second = target.put(folder.write('DC1/b', 'b'));
    second.catch(() => {});
    await vi.waitFor(() => expect(kept).toBe(2), 60_000);
    await vi.waitFor(() => expect(target.stalled).toBe(true), 60_000);
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
    const target = send('ws://127.0.0.1:1', { ...QUICK, giveUpAfterMs: 50 });
    usingForTest(target);
    const file = folder.write('DC1/a', 'a');
    const gaveUp = { code: 'UNREACHABLE', cause: { code: 'UNREACHABLE', cause: { code: 'ECONNREFUSED' } } };
    await expect(target.put(file)).rejects.toMatchObject(gaveUp);
    await expect(target.put(file)).rejects.toMatchObject(gaveUp);
    await expect(target.look([file.entry.path])).rejects.toMatchObject({ code: 'UNREACHABLE' });
  });

  it('does not give up while something comes further on each link', async () => {
    const { receiver, target } = await start(
      {
        message: ({ heard, say, socket }, message) => {
          if (message.type !== 'files' || heard.length > 2) return;
          say({ type: 'ack', ranges: [{ first: message.firstId, last: message.firstId }] });
          setTimeout(() => socket.terminate(), 40);
        },
      },
      { ...QUICK, giveUpAfterMs: 800 },
    );
    await Promise.all(writeMany(30).map((file) => target.put(file)));
    expect(receiver.sessions).toHaveLength(30);
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
