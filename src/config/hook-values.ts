import { parseCommand } from './pull-values.ts';
import type { Given } from './from-file.ts';
import { badValue } from './values.ts';

/** What is told of something: a program, which gets JSON on its stdin, or a server, which gets it by POST. */
export type Hook =
  | { readonly kind: 'command'; readonly command: readonly string[] }
  | { readonly kind: 'url'; readonly url: string };

/** A program (in a file also a list of words) or an http(s) URL. */
export function parseHook(given: Given): Hook | undefined {
  const { value } = given;
  if (typeof value === 'string' && /^[a-z][a-z\d+.-]*:\/\//i.test(value)) {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    if (url?.protocol !== 'http:' && url?.protocol !== 'https:') throw badValue('is no URL like https://…');
    return { kind: 'url', url: value };
  }
  const command = parseCommand(given);
  return command && { kind: 'command', command };
}
