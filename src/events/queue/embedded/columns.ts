import type { SQLOutputValue } from 'node:sqlite';
import { IsyncError } from '../../../model/isync-error.ts';

export function text(value: SQLOutputValue | undefined): string {
  if (typeof value !== 'string') throw damaged();
  return value;
}

export function number(value: SQLOutputValue | undefined): number {
  if (typeof value !== 'number') throw damaged();
  return value;
}

export function blob(value: SQLOutputValue | undefined): Buffer {
  if (!(value instanceof Uint8Array)) throw damaged();
  return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
}

function damaged(): IsyncError {
  return new IsyncError(
    'STORE_FAILED',
    'the queue file is damaged: a row has a value that was never written',
    {
      retryable: false,
    },
  );
}
