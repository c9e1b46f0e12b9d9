import { randomBytes } from 'node:crypto';

const STORE_ID = /^[0-9a-f]{32}$/;
/** Longest text that can be an id, in bytes. */
export const MAX_STORE_ID_BYTES = 64;

/** 128 random bits in hexadecimal: no two stores share them. */
export function newStoreId(): string {
  return randomBytes(16).toString('hex');
}

/** The id as it is kept: a line of text. */
export function formatStoreId(id: string): Buffer {
  return Buffer.from(`${id}\n`);
}

/** The id in `bytes`; undefined where they are damaged. */
export function parseStoreId(bytes: Uint8Array): string | undefined {
  const text = Buffer.from(bytes).toString('latin1').trimEnd();
  return STORE_ID.test(text) ? text : undefined;
}
