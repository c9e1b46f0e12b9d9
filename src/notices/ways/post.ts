import { proxyFor } from '../../http/proxy-for.ts';
import { IsyncError } from '../../model/isync-error.ts';
import { tlsText } from '../../model/tls-text.ts';

/** Read of an answer, in bytes: enough for an `errcode` and what the other side says of an error. */
const ANSWER_BYTES = 64 * 1024;
/** Shown of it, in characters. */
const SHOWN = 200;

export interface Post {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Posts once, and resolves to the answer's text, cut at {@link ANSWER_BYTES}. Redirects are not followed: a notice goes where the
 * config says. Messages name the server only, for the rest of the address may be a secret.
 * @throws IsyncError UNREACHABLE, and NOTICE_FAILED for any status but 2xx
 */
export async function post({ url, headers = {}, body }: Post, signal: AbortSignal): Promise<string> {
  const { address, authorization } = withoutUser(url);
  const { host } = address;
  let status: number;
  let text: string;
  try {
    ({ status, text } = await sent(address, { ...authorization, ...headers }, body, signal));
  } catch (error) {
    signal.throwIfAborted();
    throw new IsyncError('UNREACHABLE', `${host} can't be told: ${reasonOf(error)}`, {
      hint: 'Check the address in "notify", the network and the firewall.',
    });
  }
  if (status >= 200 && status < 300) return text;
  throw new IsyncError('NOTICE_FAILED', `${host} has answered ${status}${shown(text)}`);
}

async function sent(
  address: URL,
  headers: Post['headers'] & {},
  body: string,
  signal: AbortSignal,
): Promise<Answer> {
  const request = { method: 'POST', headers, body, redirect: 'manual', signal } as const;
  const proxy = proxyFor(address);
  if (proxy === undefined) return await answerOf(await fetch(address, request));
  // Node's own fetch takes a proxy of its own undici only.
  const { fetch: fetchThrough, ProxyAgent } = await import('undici');
  await using dispatcher = new AsyncDisposableStack();
  const agent = dispatcher.adopt(new ProxyAgent(proxy.href), async (used) => await used.destroy());
  return await answerOf(await fetchThrough(address, { ...request, dispatcher: agent }));
}

async function answerOf(response: Pick<Response, 'status' | 'body'>): Promise<Answer> {
  return { status: response.status, text: await beginningOf(response) };
}

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Headers and body of JSON. */
export function json(value: unknown): Pick<Post, 'headers' | 'body'> {
  return { headers: { 'content-type': 'application/json; charset=utf-8' }, body: JSON.stringify(value) };
}

/** What the other side said, for a message: one line, cut. */
export function shown(text: string): string {
  const line = text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
  if (line === '') return '';
  return `: ${line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line}`;
}

/** The longest beginning of whole characters that is at most `bytes` of UTF-8, with "…" where something is left out. */
export function cutTo(text: string, bytes: number): string {
  const all = Buffer.from(text);
  if (all.length <= bytes) return text;
  const dots = '…';
  let end = Math.max(0, bytes - Buffer.byteLength(dots));
  // A byte 10xxxxxx goes on with the character before.
  while (end > 0 && ((all[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return `${all.toString('utf8', 0, end)}${dots}`;
}

/** fetch takes no address with user and password. */
function withoutUser(url: string): {
  readonly address: URL;
  readonly authorization: Readonly<Record<string, string>>;
} {
  const address = new URL(url);
  const { username, password } = address;
  if (username === '' && password === '') return { address, authorization: {} };
  address.username = '';
  address.password = '';
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { address, authorization: { authorization: `Basic ${Buffer.from(pair).toString('base64')}` } };
}

async function beginningOf({ body }: Pick<Response, 'body'>): Promise<string> {
  if (body === null) return '';
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of body) {
    pieces.push(piece);
    size += piece.length;
    if (size >= ANSWER_BYTES) break;
  }
  return Buffer.concat(pieces).toString('utf8', 0, ANSWER_BYTES);
}

/** fetch says "fetch failed", and why in the cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (!(cause instanceof Error)) return String(cause);
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : undefined;
  return cause.message === '' ? (code ?? cause.name) : tlsText(cause.message);
}
