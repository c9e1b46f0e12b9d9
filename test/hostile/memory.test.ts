import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { MAX_PATH_SEGMENTS, parseRelPath } from '../../src/model/rel-path.ts';
import { encode } from '../../src/protocol/codec.ts';
import { MAX_PATHS_PER_MESSAGE } from '../../src/protocol/limits.ts';
import type { SenderMessage } from '../../src/protocol/messages.ts';
import { pack } from '../../src/protocol/packing.ts';
import { MemoryBudget } from '../../src/receiver/memory-budget.ts';
import { RECEIVER_LIMITS } from '../../src/receiver/receiver-limits.ts';
import { IdentityLookup } from '../../src/receiver/identity-lookup.ts';
import { ReceiverSession } from '../../src/receiver/session.ts';
import { UNWATCHED } from '../../src/receiver/devices/device-watch.ts';
import { gatedStore, receiverFor } from '../receiver/fixtures.ts';
import { RecordingLog } from '../recording-log.ts';
import { greet, inlineFile } from '../receiver/wire-client.ts';

const LONG_PATH = `DC1/${'x'.repeat(250)}/`.padEnd(16 * 251, `${'y'.repeat(250)}/`);

/** A session whose messages go nowhere, on a store that takes nothing before `open` is called. */
async function stuckSession(memory = new MemoryBudget(RECEIVER_LIMITS.heldBytes, 1), device = 'd') {
  const kept = gatedStore();
  kept.shut();
  const calls: string[] = [];
  let welcome = false;
  const log = new RecordingLog();
  const session = new ReceiverSession({
    store: kept.store,
    storeIdentity: new IdentityLookup(kept.store, log),
    process: 'a process',
    link: {
      send: (_bytes, flushed) => {
        welcome = true;
        flushed();
      },
      close: (code) => void calls.push(`close ${code}`),
      pause: () => void calls.push('pause'),
      resume: () => void calls.push('resume'),
    },
    limits: RECEIVER_LIMITS,
    memory,
    software: 'test',
    watch: () => UNWATCHED,
    mayRead: false,
    authorize: () => undefined,
    onRefused: () => undefined,
    fence: async () => undefined,
    log,
  });
  onTestFinished(async () => {
    kept.open();
    await session.end();
  });
  const say = (message: SenderMessage): void => session.receive(encode(message));
  say({ type: 'hello', version: 1, device, mode: 'write', digest: 'xxh64', software: 't' });
  await vi.waitFor(() => expect(welcome).toBe(true), { interval: 1, timeout: 60_000 });
  return { ...kept, calls, say, session };
}

/** How often `say` was called before the session was paused; `most` when it never was. */
function saidUntilPaused(calls: readonly string[], most: number, say: (n: number) => void): number {
  let said = 0;
  while (calls.length === 0 && said < most) say(said++);
  return said;
}

describe('what a session holds in memory is bounded', () => {
  it('in chunks of one byte', async () => {
    const { say, calls } = await stuckSession();
    const entry = { path: parseRelPath('DC1/a'), size: 2 ** 40, mtimeUs: 0 };
    say({ type: 'open', id: 1, resume: false, entry });
    const content = Buffer.from('x');
    const said = saidUntilPaused(calls, 100_000, (n) => say({ type: 'chunk', id: 1, offset: n, content }));
    expect(calls).toEqual(['pause']);
    expect(said).toBeLessThan(20_000);
  });

  it('in empty files with long paths', async () => {
    const { say, calls } = await stuckSession();
    const said = saidUntilPaused(calls, 4096, (n) =>
      say({ type: 'files', firstId: n + 1, files: [inlineFile(`${LONG_PATH}${n}`, '')] }),
    );
    expect(calls).toEqual(['pause']);
    expect(said).toBeLessThan(2000);
  });

  it('in requests with long paths', async () => {
    const { say, calls, store } = await stuckSession();
    const { promise, resolve } = Promise.withResolvers<undefined>();
    vi.spyOn(store, 'stat').mockReturnValue(promise);
    onTestFinished(() => resolve(undefined));
    const paths = Array.from({ length: MAX_PATHS_PER_MESSAGE }, (_, n) => parseRelPath(`${LONG_PATH}${n}`));
    const said = saidUntilPaused(calls, 32, (n) => say({ type: 'look', request: n, digest: false, paths }));
    expect(calls).toEqual(['pause']);
    expect(said).toBeLessThan(16);
  });
});

describe('packed messages of one read of the socket', () => {
  const CONTENT = Buffer.alloc(64 * 1024, 'text that a few bytes can tell ');
  const filesOf = (n: number) => Array.from({ length: 16 }, (_, i) => inlineFile(`DC1/${n}-${i}`, CONTENT));

  it('are not unpacked while the session holds enough, and all arrive in the end', async () => {
    const { session, calls, store, open, paths } = await stuckSession();
    const put = vi.spyOn(store, 'put');
    for (let n = 0; n < 64; n++)
      session.receive(pack(encode({ type: 'files', firstId: 16 * n + 1, files: filesOf(n) })));
    // Nothing but the disk is waited for now, however many turns the event loop takes.
    for (let turn = 0; turn < 50; turn++) await nextTurn();
    expect(calls).toEqual(['pause']);
    expect(put.mock.calls.length * CONTENT.length).toBeLessThan(
      RECEIVER_LIMITS.pendingBytes + 2 * 16 * CONTENT.length,
    );
    open();
    await vi.waitFor(() => expect(paths()).toHaveLength(64 * 16), 60_000);
    await vi.waitFor(() => expect(calls.at(-1)).toBe('resume'), 60_000);
  });

  it('keep the event loop no longer than a few MiB take, also for an upload that was refused', async () => {
    const { session, calls, say } = await stuckSession();
    say({
      type: 'open',
      id: 1,
      resume: false,
      entry: { path: parseRelPath('refused'), size: 2 ** 40, mtimeUs: 0 },
    });
    await nextTurn();
    const zeros = Buffer.alloc(256 * 1024);
    const packed = pack(encode({ type: 'chunk', id: 1, offset: 0, content: zeros }));
    for (let n = 0; n < 200; n++) session.receive(packed);
    expect(calls).toEqual(['pause']);
    let turns = 0;
    while (calls.length < 2) {
      await nextTurn();
      turns++;
    }
    expect(calls).toEqual(['pause', 'resume']);
    expect(turns).toBeGreaterThan(5);
  });
});

describe('what all sessions hold together is bounded', () => {
  const content = Buffer.alloc(64 * 1024);

  it('and those that hold most wait first', async () => {
    const memory = new MemoryBudget(4 * 1024 * 1024, 4);
    const greedy = await stuckSession(memory, 'greedy');
    const modest = await stuckSession(memory, 'modest');
    modest.say({ type: 'files', firstId: 1, files: [inlineFile('DC1/a', 'x')] });
    const said = saidUntilPaused(greedy.calls, 1000, (n) =>
      greedy.say({ type: 'files', firstId: n + 1, files: [inlineFile(`DC1/${n}`, content)] }),
    );
    expect(said).toBeLessThan(70);
    expect(greedy.calls).toEqual(['pause']);
    for (let id = 2; id <= 5; id++)
      modest.say({ type: 'files', firstId: id, files: [inlineFile(`DC1/${id}`, content)] });
    expect(modest.calls).toEqual([]);
    greedy.open();
    await vi.waitFor(() => expect(greedy.calls).toEqual(['pause', 'resume']), 60_000);
  });
});

function deep(segments: number): string {
  return `DC1/${'a/'.repeat(segments - 2)}x`;
}

describe('paths of very many folders', () => {
  it('are refused as a problem of the file, and never looked up', async () => {
    const kept = gatedStore();
    const stat = vi.spyOn(kept.store, 'stat');
    const { url } = await receiverFor(kept.store);
    const client = await greet(url, 'edge1');
    client.say({
      type: 'files',
      firstId: 1,
      files: [inlineFile(deep(MAX_PATH_SEGMENTS + 1), 'x'), inlineFile(deep(MAX_PATH_SEGMENTS), 'x')],
    });
    expect(await client.next('refused')).toMatchObject({ id: 1, code: 'BAD_PATH', retryable: false });
    expect(await client.acknowledged(1)).toEqual([2]);
    const paths = [parseRelPath(deep(2000)), parseRelPath(deep(MAX_PATH_SEGMENTS))];
    client.say({ type: 'look', request: 1, digest: false, paths });
    expect((await client.next('looked')).files).toMatchObject([undefined, { size: 1 }]);
    expect(stat).toHaveBeenCalledTimes(1);
  });
});

describe('a sender that reads nothing', () => {
  it('loses its place', async () => {
    const kept = gatedStore();
    const limits = { stallMs: 200, keepaliveMs: 50, silenceMs: 60_000, closeMs: 50, outgoingBytes: 100_000 };
    const { url, log } = await receiverFor(kept.store, { limits });
    for (let n = 0; n < 2000; n++) {
      const path = parseRelPath(`edge1/${LONG_PATH}${n}`.slice(0, 4000));
      kept.contents.files.set(parseRelPath(`${path}${n}`), {
        entry: { path: parseRelPath(`${path}${n}`), size: 0, mtimeUs: 0 },
        bytes: Buffer.alloc(0),
      });
    }
    const client = await greet(url, 'edge1', { hello: { mode: 'read' } });
    client.ws.pause();
    for (let request = 0; request < 32; request++) client.say({ type: 'list', request, prefix: '' });
    await vi.waitFor(
      () =>
        expect(log.at('info')).toContainEqual(
          expect.objectContaining({ fields: expect.objectContaining({ code: 4408 }) as unknown }),
        ),
      { timeout: 20_000 },
    );
    client.ws.resume();
    await client.closed;
  });
});
