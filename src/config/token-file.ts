import { IsyncError } from '../model/isync-error.ts';
import { readText } from './read-text.ts';

/** Longest token in characters: it fits into any HTTP server's header limits with room to spare. */
const MAX_TOKEN_LENGTH = 1024;
/** Shortest one that guards something of ours, in characters: of hex, they are 64 bits, which nobody guesses over a network. */
const LEAST_OWN_LENGTH = 16;

/**
 * Returns the token in `text`: its only line, of printable ASCII without spaces, because it travels in an HTTP header.
 * Undefined where `text` holds anything else.
 */
export function parseToken(text: string): string | undefined {
  const token = text.trim();
  return token.length <= MAX_TOKEN_LENGTH && /^[\x21-\x7e]+$/.test(token) ? token : undefined;
}

/**
 * Reads the token that a file holds. An error never shows its content.
 * @throws IsyncError CONFIG_INVALID
 */
export function readTokenFile(path: string): string {
  const token = parseToken(readText(path, 'the token file'));
  if (token !== undefined) return token;
  throw new IsyncError('CONFIG_INVALID', 'the token file must hold one token on one line, and nothing else', {
    path,
    hint: 'On the receiver, "isync token add DEVICE --tokens FILE" prints a token; put that line into this file.',
  });
}

/** Whether a token that others must bring to us can be guessed. */
export function isGuessable(token: string): boolean {
  return token.length < LEAST_OWN_LENGTH;
}

/**
 * The same of a token that others must bring to us.
 * @throws IsyncError CONFIG_INVALID also where it can be guessed
 */
export function readOwnToken(path: string): string {
  const token = parseToken(readText(path, 'the token file'));
  if (token !== undefined && !isGuessable(token)) return token;
  const message =
    token === undefined
      ? 'the token file must hold one token on one line, and nothing else'
      : `the token is shorter than ${LEAST_OWN_LENGTH} characters: it can be guessed`;
  throw new IsyncError('CONFIG_INVALID', message, { path, hint: 'Make one with: openssl rand -hex 24' });
}
