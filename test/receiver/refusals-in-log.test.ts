import { expect, it, onTestFinished, vi } from 'vitest';
import { addToken } from '../../src/access/tokens.ts';
import { openTokenFile } from '../../src/access/token-file.ts';
import { gatedStore, receiverFor, temporaryFolder } from './fixtures.ts';
import { RecordingLog } from '../recording-log.ts';
import { connect, greet, UpgradeRefused } from './wire-client.ts';

it('a sender that is refused again and again costs one line of log, with its address', async () => {
  const path = `${await temporaryFolder()}/tokens.json`;
  const token = await addToken(path, 'edge1');
  const tokens = openTokenFile(path, new RecordingLog());
  onTestFinished(() => tokens[Symbol.dispose]());
  const { url, log } = await receiverFor(gatedStore().store, { tokens, limits: { helloMs: 50 } });
  for (let time = 0; time < 3; time++) {
    await expect(connect(url, { token: 'wrong' })).rejects.toThrow(UpgradeRefused);
    const other = await connect(url, { token });
    other.hello('edge2');
    expect((await other.closed).code).toBe(4403);
    const mute = await connect(url, { token });
    expect((await mute.closed).code).toBe(4408);
  }
  const remote = expect.stringMatching(/^127\.0\.0\.1:\d+$/) as string;
  expect(log.at('warn').map(({ message, fields }) => ({ message, ...fields }))).toEqual([
    {
      message: 'upgrade refused: the token is wrong or has been revoked',
      remote,
      status: 401,
      suppressed: 0,
    },
    {
      message: 'session refused',
      remote,
      code: 4403,
      reason: 'the token is of another device',
      tokenOf: 'edge1',
      suppressed: 0,
    },
    {
      message: 'session refused',
      remote,
      code: 4408,
      reason: 'no HELLO in time',
      tokenOf: 'edge1',
      suppressed: 0,
    },
  ]);
  expect(log.at('info').map(({ message }) => message)).toEqual(['listening']);
  await vi.waitFor(() => greet(url, 'edge1', { token }), 60_000);
});
