import { expect, it } from 'vitest';
import { checkExposure } from '../../src/http/exposure.ts';

const WORDS = { server: 'a status page', hint: 'Give it tokens.' };

it('without tokens nothing listens beyond loopback, and the message speaks as its caller does', () => {
  const beyond = { host: '0.0.0.0', port: 80 };
  expect(() => checkExposure(beyond, false, WORDS)).toThrow(
    expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: 'without tokens a status page listens on loopback only, and 0.0.0.0 is not',
      hint: WORDS.hint,
    }),
  );
  checkExposure(beyond, true, WORDS);
  checkExposure({ host: '::1', port: 80 }, false, WORDS);
});
