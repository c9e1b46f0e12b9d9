import { expect, it, onTestFinished, vi } from 'vitest';
import { addToken } from '../../src/receiver/tokens.ts';
import { openTokenFile } from '../../src/receiver/token-file.ts';
import { StrangerLog } from '../../src/receiver/stranger-log.ts';
import { gatedStore, receiverFor, temporaryFolder } from './fixtures.ts';
import { RecordingLog } from '../recording-log.ts';
import { connect, greet, UpgradeRefused } from './wire-client.ts';

const HOUR_MS = 3600 * 1000;

it('tells each kind once for an address, and again after an hour with the count', () => {
  const log = new RecordingLog();
  let nowMs = 0;
  const strangers = new StrangerLog(log, () => nowMs);
  for (let time = 0; time < 13; time++) {
    strangers.warn('a', `192.0.2.1:${1000 + time}`);
    strangers.warn('b', '192.0.2.1:1');
    strangers.warn('a', '192.0.2.2:1');
    strangers.warn('a', `2001:db8::${time}:1`);
    nowMs += HOUR_MS / 13;
  }
  expect(log.lines.map(({ message, fields }) => [message, fields?.['remote']])).toEqual([
    ['a', '192.0.2.1:1000'],
    ['b', '192.0.2.1:1'],
    ['a', '192.0.2.2:1'],
    ['a', '2001:db8::0:1'],
  ]);
  nowMs = HOUR_MS;
  strangers.warn('a', '192.0.2.1:9');
  expect(log.lines.at(-1)?.fields).toEqual({ remote: '192.0.2.1:9', suppressed: 12 });
});

it('writes a line a second when a stranger has addresses without end, and counts the rest', () => {
  const log = new RecordingLog();
  let nowMs = 0;
  const strangers = new StrangerLog(log, () => nowMs);
  const flood = (from: number) => {
    for (let n = from; n < from + 10_000; n++)
      strangers.warn('a', `10.${n >> 16}.${(n >> 8) & 255}.${n & 255}:1`);
  };
  flood(0);
  expect(log.lines).toHaveLength(100);
  nowMs = 3000;
  flood(10_000);
  expect(log.lines).toHaveLength(103);
  expect(log.lines.at(100)?.fields).toMatchObject({ unsaid: 9900 });
});

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
  await vi.waitFor(() => greet(url, 'edge1', { token }));
});
