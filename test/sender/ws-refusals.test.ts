import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { IsyncError } from '../../src/model/isync-error.ts';
import { parseRelPath } from '../../src/model/rel-path.ts';
import type { LinkState } from '../../src/sender/ws/ws-target-options.ts';
import { acknowledge, type Script, welcome } from './fake-receiver.ts';
import { PATIENT, QUICK, scripted as start, usingForTest } from './receiver-fixture.ts';
import { SourceFolder } from './source-folder.ts';

let folder: SourceFolder;

beforeEach(() => {
  folder = usingForTest(new SourceFolder());
});

describe('ws target: refusals', () => {
  it.each([
    [401, 'AUTH_REFUSED'],
    [426, 'VERSION_UNSUPPORTED'],
  ])('takes status %i of a receiver for final', async (status, code) => {
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

  it('names the cure of a refused token', async () => {
    const { target } = await start({ status: () => 401 }, PATIENT);
    await expect(target.look([parseRelPath('DC1/a')])).rejects.toMatchObject({
      hint: expect.stringMatching(/isync token add DEVICE --tokens FILE.*--token-file.*--device/) as string,
    });
  });

  it.each([200, 302, 401, 403, 404, 407, 413, 426, 429, 500, 502, 503])(
    'waits its longest after status %i of whatever is no receiver, and tries again',
    async (status) => {
      const lost: (IsyncError | undefined)[] = [];
      const onLink = (state: LinkState, error?: IsyncError) => state === 'lost' && lost.push(error);
      const foreign = { status, body: '<html>', headers: ['Location: http://portal.example/'] };
      await start({ status: () => foreign }, PATIENT, { onLink });
      await vi.waitFor(() => expect(lost).toHaveLength(1), 60_000);
      expect(lost[0]).toMatchObject({
        code: 'UNREACHABLE',
        retryable: true,
        message: expect.stringContaining(`HTTP status ${status}`) as string,
        hint: expect.stringContaining('Check the address') as string,
      });
      let left = 3;
      const { target } = await start({
        message: acknowledge,
        status: () => (left-- > 0 ? foreign : undefined),
      });
      await target.put(folder.write('DC1/a', 'a'));
    },
  );

  it.each([
    '{"code":"AUTH_REFUSED"}',
    '{"code":401,"message":"no"}',
    '{"code":"Forbidden","message":"no"}',
    '[]',
    '',
  ])('does not take %s for the refusal of a receiver', async (body) => {
    let left = 1;
    const status = () => (left-- > 0 ? { status: 401, body } : undefined);
    const { target } = await start({ message: acknowledge, status });
    await expect(target.put(folder.write('DC1/a', 'a'))).resolves.toMatchObject({ incarnation: 'fake' });
  });

  it('tries again at a wrong path, which a proxy may mend', async () => {
    let left = 2;
    const { target } = await start({ message: acknowledge, status: () => (left-- > 0 ? 404 : undefined) });
    await expect(target.put(folder.write('DC1/a', 'a'))).resolves.toMatchObject({ incarnation: 'fake' });
  });

  it('gives up on what is no receiver when it may give up, after more than one try', async () => {
    let tries = 0;
    const status = () => (tries++, { status: 302, body: '' });
    const { target } = await start({ status }, { ...QUICK, giveUpAfterMs: 200 });
    await expect(target.put(folder.write('DC1/a', 'a'))).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: expect.stringContaining('HTTP status 302') as string,
    });
    expect(tries).toBeGreaterThan(1);
  });

  it('tries again at a WebSocket that speaks no protocol of ours', async () => {
    const lost: (IsyncError | undefined)[] = [];
    const onLink = (state: LinkState, error?: IsyncError) => state === 'lost' && lost.push(error);
    await start({ protocol: () => false }, PATIENT, { onLink });
    await vi.waitFor(() => expect(lost).toHaveLength(1), 60_000);
    expect(lost[0]).toMatchObject({ code: 'UNREACHABLE', retryable: true });
    let left = 2;
    const { target } = await start({ message: acknowledge, protocol: () => left-- <= 0 });
    await target.put(folder.write('DC1/a', 'a'));
  });

  it('tells that a token can not be one', async () => {
    const { target } = await start({ message: acknowledge }, PATIENT, { token: 'two\nlines' });
    await expect(target.look([parseRelPath('DC1/a')])).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  it.each(['http://127.0.0.1', 'nonsense'])('refuses %s as an address', async (url) => {
    const { target } = await start({}, PATIENT, { url });
    await expect(target.look([parseRelPath('DC1/a')])).rejects.toMatchObject({ code: 'USAGE' });
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
    [4401, 'AUTH_REFUSED', expect.stringContaining('token add')],
    [4403, 'AUTH_REFUSED', expect.stringContaining('token add')],
    [4426, 'VERSION_UNSUPPORTED', 'Update the older side.'],
  ])('takes a close with %i for final', async (close, code, hint) => {
    const { receiver, target } = await start({ message: ({ socket }) => socket.close(close, 'no') }, PATIENT);
    await expect(target.put(folder.write('DC1/a', 'a'))).rejects.toMatchObject({ code, hint });
    expect(receiver.sessions).toHaveLength(1);
  });

  it('gives way to a newer session at once when it may give up', async () => {
    const { target } = await start(
      { message: ({ socket }) => socket.close(4409, 'newer') },
      { ...QUICK, giveUpAfterMs: 60_000 },
    );
    await expect(target.put(folder.write('DC1/a', 'a'))).rejects.toMatchObject({ code: 'FENCED' });
  });

  it('waits its longest after a newer session when it never gives up', async () => {
    const lost: (string | undefined)[] = [];
    const { receiver } = await start({ hello: ({ socket }) => socket.close(4409) }, PATIENT, {
      onLink: (state, error) => state === 'lost' && lost.push(error?.code),
    });
    await vi.waitFor(() => expect(lost).toEqual(['FENCED']), 60_000);
    expect(receiver.sessions).toHaveLength(1);
  });

  it.each<[string, Script['message']]>([
    ['a malformed message', ({ socket }) => socket.send(Buffer.of(0x82, 0xff))],
    ['an unknown message', ({ socket }) => socket.send(Buffer.of(0x60))],
    ['a text message', ({ socket }) => socket.send('hello')],
    [
      'an ACK of an id that was never sent',
      ({ say }) => say({ type: 'ack', ranges: [{ first: 1, last: 0xffff_ffff }] }),
    ],
    ['a second WELCOME', ({ say }) => say(welcome('edge1'))],
    ['an OFFSET that nobody asked for', ({ say }) => say({ type: 'offset', id: 1, offset: 0 })],
    ['an answer that nobody asked for', ({ say }) => say({ type: 'sealed', request: 7 })],
    [
      'a refusal of an id to come',
      ({ say }) => say({ type: 'refused', id: 99, retryable: false, code: 'X', message: '' }),
    ],
    ['a message that is too large', ({ socket }) => socket.send(Buffer.alloc(2 * 1024 * 1024 + 1))],
  ])('ends the session on %s, and waits its longest', async (_, message) => {
    const lost: (string | undefined)[] = [];
    const { receiver, target } = await start({ message }, PATIENT, {
      onLink: (state, error) => state === 'lost' && lost.push(error?.code),
    });
    const put = target.put(folder.write('DC1/a', 'a'));
    put.catch(() => {});
    await vi.waitFor(() => expect(lost).toEqual(['PROTOCOL']), 60_000);
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
    await vi.waitFor(() => expect(lost).toEqual(['PROTOCOL']), 60_000);
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
    await vi.waitFor(() => expect(lost).toEqual(['PROTOCOL']), 60_000);
  });
});
