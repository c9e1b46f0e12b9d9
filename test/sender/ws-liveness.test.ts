import { beforeEach, describe, expect, it, vi } from 'vitest';
import { acknowledge } from './fake-receiver.ts';
import { PATIENT, QUICK, scripted as start, usingForTest } from './receiver-fixture.ts';
import { SourceFolder } from './source-folder.ts';

let folder: SourceFolder;

beforeEach(() => {
  folder = usingForTest(new SourceFolder());
});

describe('ws target: liveness', () => {
  it('says KEEPALIVE when it has nothing else to say', async () => {
    const { receiver } = await start({}, QUICK, { deadlines: { keepaliveMs: 10 } });
    await vi.waitFor(() => expect(receiver.heard.at(-1)).toEqual({ type: 'keepalive' }), 60_000);
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
    await vi.waitFor(() => expect(lost[0]).toBe('UNREACHABLE'), 60_000);
  });

  it('waits for WELCOME no longer than it may try, and tells what that waits for', async () => {
    const beganMs = performance.now();
    const { target } = await start({ hello: () => {} }, { giveUpAfterMs: 1_000 });
    await expect(target.put(folder.write('DC1/a', 'a'))).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringMatching(/gave up after 1 try in 2 s.*no WELCOME within 2 s/),
      hint: expect.stringContaining('waits for its store'),
    });
    expect(performance.now() - beganMs).toBeLessThan(15_000);
  });

  it('says goodbye with 1000 when it is disposed of', async () => {
    const { receiver, target } = await start({ message: acknowledge });
    await target.put(folder.write('DC1/a', 'a'));
    const codes: number[] = [];
    receiver.sessions[0]?.socket.on('close', (code) => codes.push(code));
    await target[Symbol.asyncDispose]();
    await vi.waitFor(() => expect(codes).toEqual([1000]), 60_000);
  });

  it('waits for no echo of its goodbye', async () => {
    const { receiver, target } = await start({ message: acknowledge });
    await target.put(folder.write('DC1/a', 'a'));
    const { socket } = receiver.sessions[0]!;
    const codes: number[] = [];
    socket.on('close', (code) => codes.push(code));
    // Nothing is read, so nothing is answered.
    socket.pause();
    await target[Symbol.asyncDispose]();
    expect(codes).toEqual([]);
    socket.resume();
    await vi.waitFor(() => expect(codes).toEqual([1000]), 60_000);
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
