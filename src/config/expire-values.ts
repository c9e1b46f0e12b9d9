import { badValue, parseBytes, parseSpan } from './values.ts';

/** No directory whose seal is younger goes unless told, in ms: whoever wants to look at what has just come in has a day. */
export const KEEP_AT_LEAST_MS = 86_400_000;

/** How much of a disk is to stay free. */
type MinFree = { readonly percent: number } | { readonly bytes: number };

/** Returns how much is to stay free: `20%` of the disk, or a size. */
export function parseMinFree(text: string): MinFree {
  const percent = /^(\d{1,2}(?:\.\d+)?) ?%$/.exec(text.trim())?.[1];
  if (percent !== undefined) return { percent: Number(percent) };
  if (text.includes('%')) throw badValue('is no share of a disk like 5% or 20%');
  return { bytes: parseBytes(text) };
}

/** Returns whole milliseconds of an age; 0 needs no unit. */
export function parseAge(text: string): number {
  return text.trim() === '0' ? 0 : parseSpan(text, 0);
}
