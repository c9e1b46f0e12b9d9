import { describe, expect, it } from 'vitest';
import { ERRORS, isErrorCode } from '../../src/model/error-table.ts';
import { IsyncError, toIsyncError } from '../../src/model/isync-error.ts';

describe('an error', () => {
  it('is retryable, and has the hint, that the table says', () => {
    expect(new IsyncError('LINK_LOST', 'x')).toMatchObject({ retryable: true, hint: undefined });
    expect(new IsyncError('AUTH_REFUSED', 'x')).toMatchObject({
      retryable: false,
      hint: ERRORS.AUTH_REFUSED.cure,
    });
    expect(toIsyncError(new Error('x'), 'INTERNAL').hint).toBe(ERRORS.INTERNAL.cure);
  });

  it('may say otherwise', () => {
    const error = new IsyncError('STORE_FULL', 'x', { retryable: false, hint: 'Make room.' });
    expect(error).toMatchObject({ retryable: false, hint: 'Make room.' });
    expect(new IsyncError('INTERNAL', 'x', { retryable: true }).retryable).toBe(true);
  });
});

describe('a code', () => {
  it.each(['toString', 'constructor', '__proto__', 'usage', ''])('is not %j', (text) => {
    expect(isErrorCode(text)).toBe(false);
  });

  it.each(['MISSING', 'DIFFERENT', 'FILE_UNREADABLE'] as const)(
    '%s, which two commands tell, has the cure of each',
    (code) => expect(ERRORS[code].cure).toContain('After isync mirror verify: '),
  );

  it('has a cure of whole sentences', () => {
    for (const { cure } of Object.values(ERRORS)) expect(cure).toMatch(/\.$/);
  });
});
