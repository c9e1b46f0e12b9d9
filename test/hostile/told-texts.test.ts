import { expect, it } from 'vitest';
import { refusalError } from '../../src/sender/ws/connect-errors.ts';
import { closeError, toldError } from '../../src/sender/ws/faults.ts';

it('a receiver cannot forge lines of output with its texts', () => {
  const text = 'no\r\n{"level":"error"}\u001b]0;owned\u0007';
  const body = JSON.stringify({ code: 'BUSY', message: text });
  const errors = [
    toldError({ code: 'STORE_FAILED', message: text, retryable: true }),
    closeError(4999, text),
    refusalError({ status: 500, body }, 'host'),
    refusalError({ status: 401, body: body.replace('BUSY', 'AUTH_REFUSED') }, 'host'),
    refusalError({ status: 302, location: text, body: '' }, 'host'),
  ];
  for (const { message } of errors) {
    expect(message).toContain('no {"level":"error"} ]0;owned');
    expect(message).not.toMatch(/\p{Cc}/u);
  }
});
