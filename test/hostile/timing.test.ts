import * as crypto from 'node:crypto';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { openTokenFile } from '../../src/access/token-file.ts';
import { addToken } from '../../src/access/tokens.ts';
import { temporaryFolder } from '../receiver/fixtures.ts';
import { RecordingLog } from '../recording-log.ts';

vi.mock(import('node:crypto'), async (original) => {
  const real = await original();
  return { ...real, timingSafeEqual: vi.fn<typeof real.timingSafeEqual>(real.timingSafeEqual) };
});

it('compares every token with every entry, in constant time, whichever it is', async () => {
  const path = join(await temporaryFolder(), 'tokens.json');
  const tokens: string[] = [];
  for (let n = 0; n < 5; n++) tokens.push(await addToken(path, `edge${n}`));
  const file = openTokenFile(path, new RecordingLog());
  onTestFinished(() => file[Symbol.dispose]());
  for (const token of [...tokens, 'isync_wrong', '']) {
    vi.mocked(crypto.timingSafeEqual).mockClear();
    expect(file.authenticate(token)?.device).toBe(
      tokens.includes(token) ? `edge${tokens.indexOf(token)}` : undefined,
    );
    const calls = vi.mocked(crypto.timingSafeEqual).mock.calls;
    // Of digests, so that not even the length of a token tells.
    expect(calls.map(([a, b]) => [a.byteLength, b.byteLength])).toEqual(tokens.map(() => [32, 32]));
  }
});
