import { createHash } from 'node:crypto';

/** The objects that s3-many-keys.ts answers for: each has its key as its content. */

const FOLDER = 1000;
/** Of all of them. */
export const MODIFIED = new Date('2026-01-02T03:04:05Z');

export function keyAt(index: number): string {
  return `a/d${String(Math.floor(index / FOLDER)).padStart(6, '0')}/f${String(index).padStart(9, '0')}`;
}

export function etagOf(key: string): string {
  return createHash('md5').update(key).digest('hex');
}
