/** The last code point before, and the first one behind, those that stand for no character alone. */
const BEFORE_SURROGATES = 0xd7ff;
const BEHIND_SURROGATES = 0xe000;
const LAST = 0x10_ffff;

/**
 * The first text, in the order of UTF-8 bytes, behind all that begin with `prefix`; undefined where nothing is behind them.
 * Code points and their UTF-8 have one order.
 */
export function behindPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0);
  while (points.at(-1) === LAST) points.pop();
  const last = points.pop();
  if (last === undefined) return undefined;
  const next = last === BEFORE_SURROGATES ? BEHIND_SURROGATES : last + 1;
  return String.fromCodePoint(...points, next);
}
