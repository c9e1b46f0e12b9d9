export type ReadJson =
  | { readonly value: unknown }
  /** Why it was not read, in a sentence. */
  | { readonly fault: string };

/**
 * Reads JSON of at most `maxBrackets` objects and lists, brackets in texts counted too: 1 MiB of nothing but brackets would
 * take 60 MB parsed. Costs nothing beside the parsing where `text` is too short to have as many.
 */
export function readJson(text: string, maxBrackets: number): ReadJson {
  if (opensMore(text, maxBrackets))
    return { fault: `the message has more than ${maxBrackets} objects and lists` };
  try {
    return { value: JSON.parse(text) };
  } catch {
    return { fault: 'the message is not JSON' };
  }
}

function opensMore(text: string, most: number): boolean {
  if (text.length <= most) return false;
  let left = most;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if ((character === '[' || character === '{') && left-- === 0) return true;
  }
  return false;
}
